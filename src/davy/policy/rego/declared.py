"""What builtins take and give, as far as sorts go: a letter for each, in the order of the arguments.

z null, b boolean, n number, s string, a array, o object, t set; `*` is any. OPA declares more: of what is in a
collection nothing is said here, so what is refused by these is refused by OPA, and not the other way round.
"""

from collections.abc import Mapping

SORTS = {
    "> n": ("time.now_ns"),
    "* * > b": ("assign eq equal gt gte lt lte neq"),
    "* > a": ("cast_array walk"),
    "* > b": ("cast_boolean is_array is_boolean is_null is_number is_object is_set is_string semver.is_valid"),
    "* > o": ("cast_object"),
    "* > s": ("cast_string json.marshal type_name"),
    "* > t": ("cast_set"),
    "* > z": ("cast_null"),
    "* a > *": ("json.patch"),
    "* o > s": ("json.marshal_with_options"),
    "a > a": ("array.flatten array.reverse"),
    "a > o": ("object.union_n"),
    "a a > a": ("array.concat"),
    "a n n > a": ("array.slice"),
    "an > a": ("time.clock time.date"),
    "an > s": ("time.format time.weekday"),
    "an an > a": ("time.diff"),
    "aost > n": ("count"),
    "aost aost > t": ("net.cidr_contains_matches"),
    "aot aot > b": ("object.subset"),
    "ast ast > b": ("strings.any_prefix_match strings.any_suffix_match"),
    "at > *": ("max min"),
    "at > a": ("sort"),
    "at > b": ("all any"),
    "at > n": ("product sum"),
    "at > t": ("net.cidr_merge"),
    "bnsz > n": ("to_number"),
    "n > n": ("abs bits.negate ceil floor round"),
    "n n > a": ("numbers.range"),
    "n n > n": ("bits.and bits.lsh bits.or bits.rsh bits.xor div mul plus rem"),
    "n n > s": ("format_int"),
    "n n n > a": ("numbers.range_step"),
    "n n n n > n": ("time.add_date"),
    "nt nt > nt": ("minus"),
    "o * * > *": ("object.get"),
    "o > s": ("urlquery.encode_object"),
    "o > t": ("object.keys"),
    "o aot > o": ("object.filter object.remove"),
    "o at > o": ("json.filter json.remove"),
    "o at > t": ("graph.reachable graph.reachable_paths"),
    "o o > o": ("object.union"),
    "o s > s": ("strings.replace_n"),
    "s > *": ("json.unmarshal yaml.unmarshal"),
    "s > a": ("io.jwt.decode"),
    "s > b": (
        "base64.is_valid json.is_valid net.cidr_is_valid regex.is_valid trace uri.is_valid yaml.is_valid"
    ),
    "s > n": ("time.parse_duration_ns time.parse_rfc3339_ns units.parse units.parse_bytes"),
    "s > o": ("uri.parse urlquery.decode_object uuid.parse"),
    "s > s": (
        "base64.decode base64.encode base64url.decode base64url.encode base64url.encode_no_pad "
        "crypto.md5 crypto.sha1 crypto.sha256 glob.quote_meta hex.decode hex.encode lower "
        "strings.reverse trim_space upper urlquery.decode urlquery.encode uuid.rfc4122"
    ),
    "s > t": ("net.cidr_expand"),
    "s a > s": ("sprintf"),
    "s at > s": ("concat"),
    "s az s > b": ("glob.match"),
    "s n > n": ("rand.intn"),
    "s n n > s": ("substring"),
    "s s > a": ("indexof_n regex.split split"),
    "s s > b": (
        "contains crypto.hmac.equal endswith io.jwt.verify_eddsa io.jwt.verify_es256 "
        "io.jwt.verify_es384 io.jwt.verify_es512 io.jwt.verify_hs256 io.jwt.verify_hs384 "
        "io.jwt.verify_hs512 io.jwt.verify_ps256 io.jwt.verify_ps384 io.jwt.verify_ps512 "
        "io.jwt.verify_rs256 io.jwt.verify_rs384 io.jwt.verify_rs512 net.cidr_contains "
        "net.cidr_intersects net.cidr_overlap re_match regex.globs_match regex.match startswith"
    ),
    "s s > n": ("indexof semver.compare strings.count time.parse_ns"),
    "s s > s": (
        "crypto.hmac.md5 crypto.hmac.sha1 crypto.hmac.sha256 crypto.hmac.sha512 trim trim_left "
        "trim_prefix trim_right trim_suffix"
    ),
    "s s n > a": ("regex.find_all_string_submatch_n regex.find_n strings.split_n"),
    "s s s > s": ("regex.replace replace"),
    "s s s s > b": ("regex.template_match"),
    "t > t": ("intersection union"),
    "t t > t": ("and or set_diff"),
}
"""The builtins of each signature."""


def _read(signature: str) -> tuple[tuple[str, ...], str]:
    arguments, _, result = signature.partition(">")
    return tuple(arguments.split()), result.strip()


DECLARED: Mapping[str, tuple[tuple[str, ...], str]] = {
    name: _read(signature) for signature, names in SORTS.items() for name in names.split()
}
"""The arguments and the result of each builtin."""
