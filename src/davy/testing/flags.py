"""What everything promises that serves the flags of an environment; subclass it and say how to make one.

class TestMine(FlagsContract):
    def made(self) -> tuple[Flags, Callable[[bool], None]]:
        flags = MyFlags()
        return flags, lambda on: flags.toggle(KEY, on)

The flags that are made have one flag, `checkout.discount`, and what is returned beside them turns it on or off;
turning it to what it is already is no change.
"""

import threading
from collections.abc import Callable
from hashlib import sha256

import msgspec

from davy.flags.remote import Acknowledgement, Changed, Exposure, ExposureReport, Instance
from davy.flags.serving import Flags
from davy.testing.patience import until

KEY = "checkout.discount"
"""The flag that there is."""

INSTANCE = Instance("i-1", "checkout", "a1")


class FlagsContract:
    """The promises, as tests."""

    def made(self) -> tuple[Flags, Callable[[bool], None]]:
        """Return flags with one flag that is off, and what turns it on or off."""
        raise NotImplementedError

    def test_a_document_is_json_of_flagd_and_has_the_digest_that_it_says(self) -> None:
        """Whoever has the bytes can tell which document it is."""
        document = self.made()[0].document()
        assert KEY in msgspec.json.decode(document.text)["flags"]
        assert document.digest == f"sha256:{sha256(document.text).hexdigest()}"
        assert document.version > 0

    def test_the_same_is_returned_until_something_changes(self) -> None:
        """An ETag holds as long as the document does."""
        flags, toggle = self.made()
        first = flags.document()
        assert flags.document() == first
        toggle(False)
        assert flags.document() == first

    def test_a_version_grows_with_every_change_even_one_that_is_taken_back(self) -> None:
        """The text may be what it was once; that it was something else in between is in the version."""
        flags, toggle = self.made()
        seen = [flags.document()]
        for on in (True, False, True):
            toggle(on)
            seen.append(flags.document())
        assert sorted({each.version for each in seen}) == [each.version for each in seen]
        assert seen[0].digest == seen[2].digest != seen[1].digest == seen[3].digest

    def test_an_artifact_that_nobody_knows_has_a_document_of_the_same_version(self) -> None:
        """One version covers the documents of all artifacts, whatever is in each."""
        flags, toggle = self.made()
        for on in (True, False):
            toggle(on)
            assert flags.document("never-heard-of").version == flags.document().version

    def test_who_subscribes_is_told_of_each_change_in_order(self) -> None:
        """The last that is told is what the document is now."""
        flags, toggle = self.made()
        told: list[Changed] = []
        flags.subscribe(told.append)
        for on in (True, False, True):
            toggle(on)
        until(lambda: bool(told) and told[-1].version == flags.document().version)
        assert [each.version for each in told] == sorted({each.version for each in told})
        assert all(KEY in each.flags for each in told)
        assert told[-1].digest == flags.document().digest

    def test_the_document_is_there_when_its_change_is_told(self) -> None:
        """Whoever is told and asks at once gets that version or a later one."""
        flags, toggle = self.made()
        found: list[bool] = []
        flags.subscribe(lambda changed: found.append(flags.document().version >= changed.version))
        toggle(True)
        until(lambda: bool(found))
        assert all(found)

    def test_who_ends_a_subscription_is_told_no_more_and_may_end_it_twice(self) -> None:
        """Others are told all the same."""
        flags, toggle = self.made()
        gone: list[Changed] = []
        stays: list[Changed] = []
        end = flags.subscribe(gone.append)
        flags.subscribe(stays.append)
        end()
        end()
        toggle(True)
        until(lambda: bool(stays))
        assert gone == []

    def test_one_that_fails_keeps_the_news_from_nobody_else(self) -> None:
        """A stream that breaks must not hold up a kill for the others."""
        flags, toggle = self.made()
        told: list[Changed] = []

        def fail(changed: Changed) -> None:
            raise RuntimeError("broken")

        flags.subscribe(fail)
        flags.subscribe(told.append)
        toggle(True)
        until(lambda: bool(told))
        assert told[-1].version == flags.document().version

    def test_what_instances_tell_is_taken_in_whatever_it_is(self) -> None:
        """An instance may tell of versions and flags that are gone, and leave twice or without having come."""
        flags, _ = self.made()
        document = flags.document()
        flags.acknowledge(Acknowledgement(INSTANCE, document.version, document.digest))
        flags.acknowledge(Acknowledgement(INSTANCE, 0, "sha256:gone"))
        flags.count(ExposureReport(INSTANCE, 1.0, 2.0, (Exposure(KEY, "on", "STATIC", 1, 3),)))
        flags.count(ExposureReport(INSTANCE, 1.0, 2.0, (Exposure("gone", "", "ERROR", 0, 1),), dropped=7))
        for instance in (INSTANCE.id, INSTANCE.id, "never-came"):
            flags.left(instance)
        assert flags.document() == document

    def test_many_at_once_never_see_a_document_torn(self) -> None:
        """Version, digest and text belong together, and no reader sees time go back."""
        flags, toggle = self.made()
        torn: list[str] = []
        done = threading.Event()

        def read() -> None:
            last = 0
            while not done.is_set():
                document = flags.document()
                if document.digest != f"sha256:{sha256(document.text).hexdigest()}":
                    torn.append(f"{document.version} has not the digest of its text")
                if document.version < last:
                    torn.append(f"{document.version} after {last}")
                last = document.version

        readers = [threading.Thread(target=read) for _ in range(4)]
        for reader in readers:
            reader.start()
        for number in range(40):
            toggle(number % 2 == 0)
        done.set()
        for reader in readers:
            reader.join()
        assert torn == []
