// A client process: options as JSON in its one argument; lines of JSON on standard input say which phase it is, and when to stop;
// failures as they happen, and the report, go to standard output, a line of JSON each.
import { createInterface } from 'node:readline';
import { LoadGenerator, type LoadOptions } from './load-generator.ts';
import type { Failure, LoadReport } from './tally.ts';

export type ClientOrder = { readonly phase: string } | { readonly stop: true };
export type ClientLine =
  | { readonly sent: number; readonly failed: number }
  | { readonly failure: Failure }
  | { readonly report: LoadReport };

const generator = new LoadGenerator(JSON.parse(process.argv[2] ?? '') as LoadOptions);
const say = (line: ClientLine) => process.stdout.write(`${JSON.stringify(line)}\n`);
let told = 0;
const progress = setInterval(() => {
  for (; told < generator.tally.failures.length && told < 500; told++)
    say({ failure: generator.tally.failures[told]! });
  say({ sent: generator.sent, failed: generator.tally.notAnswered.length });
}, 200);
const orders = createInterface({ input: process.stdin });
orders.on('line', (text) => {
  const order = JSON.parse(text) as ClientOrder;
  if ('phase' in order) generator.tally.phase = order.phase;
  else void stop();
});
orders.on('close', () => process.exit(1)); // whoever started it is gone
generator.start();

async function stop(): Promise<void> {
  clearInterval(progress);
  const report = await generator.stop();
  process.stdout.write(`${JSON.stringify({ report } satisfies ClientLine)}\n`, () => process.exit(0));
}
