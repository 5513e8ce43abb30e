// A server that asks for one flag. Run: DAVY_FLAGS=http://127.0.0.1:8013 DAVY_TOKEN=… node src/checkout-flag.ts acct-1
import { OFREPProvider } from '@openfeature/ofrep-provider';
import { OpenFeature, type EvaluationDetails, type FlagValue, type Hook } from '@openfeature/server-sdk';

// What is told of an evaluation: which variant and why, and nothing of whom it was for. Counts of all of them are
// kept by the server of flags; this one is for a person who looks.
const audit: Hook = {
  finally(context, details: EvaluationDetails<FlagValue>) {
    console.error(
      JSON.stringify({
        event: 'feature_flag.evaluation',
        'feature_flag.key': context.flagKey,
        'feature_flag.provider.name': context.providerMetadata.name,
        'feature_flag.result.variant': details.variant,
        'feature_flag.result.reason': details.reason?.toLowerCase(),
        'error.type': details.errorCode?.toLowerCase(),
      }),
    );
  },
};

await OpenFeature.setProviderAndWait(
  new OFREPProvider({
    baseUrl: process.env.DAVY_FLAGS!,
    headers: [['Authorization', `Bearer ${process.env.DAVY_TOKEN}`]],
  }),
);
const client = OpenFeature.getClient('checkout');

const accountId = process.argv[2] ?? 'acct-1';
// The default is the safe value that the registry declares: what the code does while nobody can be asked.
const details = await client.getBooleanDetails(
  'checkout.discount-enabled',
  false,
  { targetingKey: accountId },
  { hooks: [audit] },
);
const total = details.value ? 90 : 100;
console.log(JSON.stringify({ accountId, total, reason: details.reason, errorCode: details.errorCode }));
await OpenFeature.close();
