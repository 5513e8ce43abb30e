"""The same in Python: DAVY_FLAGS=http://127.0.0.1:8013 DAVY_TOKEN=… python checkout_flag.py acct-1."""

import json
import os
import sys

from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext

from openfeature import api

headers = {"Authorization": f"Bearer {os.environ['DAVY_TOKEN']}"}
api.set_provider_and_wait(OFREPProvider(os.environ["DAVY_FLAGS"], headers_factory=lambda: headers))

account = sys.argv[1] if len(sys.argv) > 1 else "acct-1"
details = api.get_client("checkout").get_boolean_details(
    "checkout.discount-enabled", False, EvaluationContext(targeting_key=account)
)
total = 90 if details.value else 100
print(
    json.dumps(
        {"accountId": account, "total": total, "reason": details.reason, "errorCode": details.error_code}
    )
)
api.shutdown()
