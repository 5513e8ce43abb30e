"""`external_data`: what a provider would answer, from a record of answers. Policies ask no network."""

from collections.abc import Callable, Mapping

from davy.policy.review import Json

Ask = Callable[[Mapping[str, Json]], Json]


def recorded(answers: Json) -> Ask:
    """Answer from a record, by provider and key; what is not in it is an error, as a provider would say it."""
    known = answers if isinstance(answers, Mapping) else {}

    def ask(request: Mapping[str, Json]) -> Json:
        provider = request.get("provider")
        of_provider = known.get(provider) if isinstance(provider, str) else None
        of_provider = of_provider if isinstance(of_provider, Mapping) else {}
        keys = request.get("keys")
        keys = [key for key in keys if isinstance(key, str)] if isinstance(keys, list) else []
        return {
            "responses": [[key, of_provider[key]] for key in keys if key in of_provider],
            "errors": [[key, f"no answer of {provider} is recorded"] for key in keys if key not in of_provider],
            "status_code": 200,
            "system_error": "",
        }

    return ask


nothing_recorded = recorded({})
