// What a page does: all flags at once, kept, and asked for again when a stream says so, or every so often.
// Run: DAVY_FLAGS=http://127.0.0.1:8013 DAVY_TOKEN=… node --experimental-eventsource src/shop-page.ts acct-1 [polling]
import { OFREPWebProvider } from '@openfeature/ofrep-web-provider';
import { OpenFeature, ProviderEvents } from '@openfeature/web-sdk';

const [accountId = 'acct-1', changeDetection = 'sse'] = process.argv.slice(2);
const asked: number[] = [];

const provider = new OFREPWebProvider({
  baseUrl: process.env.DAVY_FLAGS!,
  headers: [['Authorization', `Bearer ${process.env.DAVY_TOKEN}`]],
  changeDetection: changeDetection as 'sse' | 'polling',
  pollInterval: changeDetection === 'polling' ? 200 : 0,
  cacheMode: 'disabled',
  fetchImplementation: async (input, init) => {
    const answer = await fetch(input, init);
    asked.push(answer.status);
    return answer;
  },
});
await OpenFeature.setContext({ targetingKey: accountId });
await OpenFeature.setProviderAndWait(provider);
const client = OpenFeature.getClient();

function show(event: string): void {
  const banner = client.getBooleanDetails('shop.banner-enabled', false);
  // That one is for servers: for a page it is not there.
  // davy: allow F007 until 2027-03-01 because it shows what a page gets that asks nevertheless
  const fraud = client.getBooleanDetails('payments.fraud-check-enabled', false);
  console.log(
    JSON.stringify({
      event,
      banner: banner.value,
      reason: banner.reason,
      metadata: banner.flagMetadata,
      fraud: fraud.value,
      fraudError: fraud.errorCode,
      asked,
    }),
  );
}

show('ready');
client.addHandler(ProviderEvents.ConfigurationChanged, () => show('changed'));
// Whoever holds standard input open keeps the page open; its end closes it.
process.stdin.resume();
process.stdin.on('data', () => show('looked'));
process.stdin.on('end', async () => {
  await OpenFeature.close();
  process.exit(0);
});
