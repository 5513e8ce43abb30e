"""How builtins are called in Python: what is written out where it stands, and what the others are charged."""

ANSWERS = frozenset({"equal", "neq", "lt", "lte", "gt", "gte", "internal.member_2", "internal.member_3"})
"""Operators that are written out, and always say true or false."""

INLINE = {
    "equal": "equal({},{})",
    "neq": "(not equal({},{}))",
    "lt": "less({},{})",
    "lte": "less_equal({},{})",
    "gt": "less({1},{0})",
    "gte": "less_equal({1},{0})",
    "internal.member_2": "member({},{})",
    "internal.member_3": "member_pair({},{},{})",
    "internal.template_string": "template({})",
    "is_array": "(type({}) is list)",
    "is_boolean": "(type({}) is bool)",
    "is_null": "(type({}) is type(None))",
    "is_number": "(type({0}) is int or type({0}) is float)",
    "is_object": "(type({}) is dict)",
    "is_set": "(type({}) is RegoSet)",
    "is_string": "(type({}) is str)",
}

NUMERIC = frozenset({"plus", "minus", "mul", "div", "rem", "bits.lsh", "bits.or", "bits.xor", "bits.negate",
                     "abs", "ceil", "floor", "round", "sum", "product", "to_number"})  # fmt: skip
"""Builtins whose numbers can become long."""

COSTS = {
    **dict.fromkeys(("io.jwt.encode_sign", "io.jwt.encode_sign_raw"), 20_000),
    **dict.fromkeys(("crypto.x509.parse_keypair", "crypto.x509.parse_rsa_private_key"), 20_000),
    **dict.fromkeys(("crypto.parse_private_keys", "crypto.x509.parse_certificate_request"), 20_000),
    **dict.fromkeys(("crypto.x509.parse_certificates", "crypto.x509.parse_and_verify_certificates"), 20_000),
    "crypto.x509.parse_and_verify_certificates_with_options": 20_000,
    "io.jwt.decode_verify": 5_000,
    **{f"io.jwt.verify_{family}{size}": 5_000 for family in ("rs", "ps", "es") for size in (256, 384, 512)},
    "io.jwt.verify_eddsa": 5_000,
}
"""Steps that a call costs: arithmetic over keys takes a thousand times as long as a look into an object."""

READ = {"json.unmarshal": 2, "json.is_valid": 2, "yaml.unmarshal": 512, "yaml.is_valid": 512}
"""Builtins that read documents, with what a letter costs them, in 64ths of a step."""

CONSTANT = frozenset({"count", "object.get", "type_name"})
"""Builtins that do not look through what they are given."""

KINDS = frozenset(name for name in INLINE if name.startswith("is_"))

ARITIES = {"internal.member_3": 3, "internal.template_string": 1, **dict.fromkeys(KINDS, 1)}

SINGLE = frozenset({"None", "True", "False"})
"""What there is once in Python, so that it is the same or it is not."""

NEVER_LARGE = frozenset({"count", "object.get", "startswith", "endswith", "contains", "regex.match"})
"""Builtins that are often called and never make something whose size would count."""


def inlined(name: str, arguments: list[str]) -> str:
    """Write an operator; Python compares with a text that is written out, or with null, as Rego does."""
    if name in ("equal", "neq"):
        left, right = sorted(arguments, key=lambda argument: argument in SINGLE or argument[0] in "'\"")
        if right[0] in "'\"":
            return f"({left}{'==' if name == 'equal' else '!='}{right})"
        if right in SINGLE and left.isidentifier():
            return f"({left} is{'' if name == 'equal' else ' not'} {right})"
    return INLINE[name].format(*arguments)
