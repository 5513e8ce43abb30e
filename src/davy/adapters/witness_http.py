"""A witness that is asked over HTTP (C2SP tlog-witness v1): a second Davy, or anybody else's."""

import ssl
from http import HTTPStatus

from davy.adapters.http import Trust, Unreadable, request
from davy.adapters.witness_file import HttpWitness
from davy.errors import NotPermitted, Undecided, UsageError
from davy.ledger import note as notes
from davy.ledger.checkpoint import read
from davy.ledger.cosignature import read_verifier
from davy.ledger.lines import Malformed, base64, number
from davy.ledger.note import Note
from davy.ledger.witness import Given

TIMEOUT_S = 10.0
TRIES = 5
"""How often it is asked while others give it checkpoints of the same ledger."""

_LARGEST_BYTES = 16 * 1024


class HttpWitnessing:
    """Gives checkpoints to a witness, and takes its cosignatures."""

    def __init__(self, name: str, witness: HttpWitness) -> None:
        self._name, self._url = f"the witness {name}", witness.url.rstrip("/") + "/add-checkpoint"
        try:
            self._key = read_verifier(witness.key)
        except Malformed as error:
            raise UsageError(f"the key of {self._name} cannot be read: {error.message}") from error
        self._trust: Trust | None = None
        if witness.ca:
            try:
                self._trust = Trust(ssl.create_default_context(cafile=witness.ca))
            except (OSError, ssl.SSLError) as error:
                raise UsageError(f"no authority can be read from {witness.ca}: {error}") from error

    def give(self, given: Given) -> Note:
        """Have a checkpoint cosigned."""
        now, size = given.now, given.last_size
        for _ in range(TRIES):
            proof = "".join(f"{base64(hash_)}\n" for hash_ in given.proof(size, self._name))
            status, text = self._ask(f"old {size}\n{proof}\n{given.note}".encode())
            match status:
                case HTTPStatus.OK:
                    return self._signed(given.note, text)
                case HTTPStatus.CONFLICT:
                    known = self._size(text)
                    if known == size == now.size:
                        raise given.split(size, self._name)
                    size = known
                case HTTPStatus.UNPROCESSABLE_ENTITY:
                    raise given.split(size, self._name)
                case HTTPStatus.NOT_FOUND | HTTPStatus.FORBIDDEN:
                    raise NotPermitted(
                        f"{self._name} does not know {now.origin} by this key: {_line(text)}",
                        hint=f"whoever runs it has to be given {given.key}",
                    )
                case _:
                    raise Undecided(f"{self._name} answered with {status}: {_line(text)}")
        raise Undecided(f"{self._name} was given something else {TRIES} times", hint="try again in a moment")

    def _ask(self, body: bytes) -> tuple[int, str]:
        headers = {"Content-Type": "text/plain; charset=utf-8"}
        answer = request(
            "POST",
            self._url,
            headers=headers,
            body=body,
            timeout_s=TIMEOUT_S,
            max_bytes=_LARGEST_BYTES,
            trust=self._trust,
        )
        return answer.status, answer.body.decode("utf-8", "replace")

    def _size(self, text: str) -> int:
        try:
            return number(text.removesuffix("\n") or "-", "the size that it has")
        except Malformed as error:
            raise Unreadable(f"{self._name} answered with 409, and {error.message}") from error

    def _signed(self, note: Note, text: str) -> Note:
        """Return a checkpoint with the cosignatures of an answer, once ours is verified among them."""
        try:
            found = notes.parse(f"{note.text}\n{text}".encode())
        except Malformed as error:
            raise Unreadable(f"{self._name} signed with what is no signature: {error.message}") from error
        cosigned = notes.verify(found, [self._key])
        assert read(found.text) == read(note.text), "its text is ours"
        others = tuple(each for each in note.signatures if each not in cosigned)
        return Note(note.text, (*others, *cosigned))


def _line(text: str) -> str:
    """Return what somebody said, no longer than can be read."""
    return " ".join(text.split())[:200] or "it does not say why"
