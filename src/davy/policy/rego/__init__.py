"""Rego, as Open Policy Agent understands it: values, arithmetic, builtins and the compiler."""
