// Requests that no client would send, against a real server over HTTPS: nothing may crash it, hang, or be answered with 5xx.
//   node scripts/fuzz.ts [--seconds 30] [--seed N] [--only NUMBER] [--log]
// Each request has a number and follows from it and the seed alone: `--seed N --only NUMBER` sends one of them again. What the
// server has stored on the way is read back in every form, and by a second start. Ends with `N passed, N failed, N skipped`.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type LoadConnection, openLoadConnection } from '../bench/load-connection.ts';
import { type ServerProcess, startServerProcess } from '../bench/server-process.ts';
import { allKinds } from '../src/resources/kinds.ts';
import { createRandom } from './fuzz/random.ts';
import { type FuzzRequest, randomRequest } from './fuzz/requests.ts';

const { values: flags } = parseArgs({
  options: {
    seconds: { type: 'string', default: '30' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
    only: { type: 'string' },
    /** Shows what the server logs as errors. */
    log: { type: 'boolean', default: false },
  },
});
const seed = Number(flags.seed);
const answerMs = 10_000;
const connectionCount = 8;
const readBackEvery = 2_000;
const problems: string[] = [];
const codes = new Map<number, number>();
let sent = 0;

const requestOf = (number: number): FuzzRequest =>
  randomRequest(createRandom((seed ^ Math.imul(number, 0x9e3779b1)) >>> 0));

/** The words of a bug stand in the log alone. */
function onLogLine(line: string): void {
  if (!line.includes('failed unexpectedly') && !line.includes('"level":50')) return;
  if (flags.log === true) console.log(line);
  if (line.includes('failed unexpectedly')) return; // its answer is counted
  problems.push(`seed ${seed}, after ${sent} requests, in the log: ${line.slice(0, 1_000)}`);
}

function complain(number: number, request: FuzzRequest, why: string): void {
  const body = request.body ? ` ${request.body.subarray(0, 300).toString('latin1')}` : '';
  const text = `seed ${seed} request ${number}: ${why}\n    ${request.method} ${request.path.slice(0, 300)}\n    ${JSON.stringify(request.headers)}${body}`;
  problems.push(text);
  console.log(text);
}

async function send(connection: LoadConnection, number: number): Promise<void> {
  const request = requestOf(number);
  sent += 1;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), answerMs);
  });
  try {
    const answer = await Promise.race([
      connection.request(request.method, request.path, request.body, request.headers),
      late,
    ]);
    if (!answer) return complain(number, request, `no answer within ${answerMs} ms`);
    codes.set(answer.status, (codes.get(answer.status) ?? 0) + 1);
    const isRight = answer.status >= 200 && (answer.status < 500 || isMeant(answer.status, answer.body));
    if (!isRight) complain(number, request, `${answer.status} ${answer.body.subarray(0, 300).toString()}`);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    if (!request.path.startsWith('/')) return; // no path: nghttp2 resets such a stream
    // What our own side cannot put into a frame never went out.
    if (
      !/ERR_INVALID|ERR_HTTP2_(INVALID|HEADER|CONNECT)|invalid/i.test(`${(error as { code?: string }).code} ${message}`)
    ) {
      complain(number, request, `the stream broke: ${message}`);
    }
  } finally {
    clearTimeout(timer);
  }
}

/** A pod's agent that is not there, and a version that has not come yet, are answered with 5xx rightly. */
function isMeant(status: number, body: Buffer): boolean {
  if (status === 504 && body.length === 0) return true; // HEAD
  return (
    (status === 503 || status === 504) && /agent|node|Too large resource version|has not|tunnel/i.test(body.toString())
  );
}

/** Whatever was stored must come out in every form. */
async function readBack(connection: LoadConnection): Promise<void> {
  const forms = [
    'application/json',
    ...['Table', 'PartialObjectMetadataList'].map((as) => `application/json;as=${as};v=v1;g=meta.k8s.io`),
  ];
  for (const { group, version, plural } of allKinds) {
    const path = `${group === '' ? '/api' : `/apis/${group}`}/${version}/${plural}`;
    for (const accept of forms) {
      const { status, body } = await connection.request('GET', path, undefined, { accept });
      if (status !== 200)
        problems.push(
          `seed ${seed}, after ${sent} requests: GET ${path} as ${accept}: ${status} ${body.toString().slice(0, 200)}`,
        );
      else JSON.parse(body.toString());
    }
  }
}

function connect(server: ServerProcess): Promise<LoadConnection> {
  return openLoadConnection({ url: server.url, caCertificate: server.caCertificate, token: server.adminToken });
}

async function run(server: ServerProcess): Promise<void> {
  const own = await connect(server);
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'fuzz' } };
  await own.request('POST', '/api/v1/namespaces', JSON.stringify(namespace));
  if (flags.only !== undefined) return await send(own, Number(flags.only));
  const endMs = performance.now() + Number(flags.seconds) * 1000;
  let next = 0;
  const worker = async () => {
    let connection = await connect(server);
    while (performance.now() < endMs && problems.length < 20) {
      const number = next++;
      // A stream that the server reset may have taken its connection with it.
      if (connection.isClosed()) connection = await connect(server);
      await send(connection, number);
      if (number % readBackEvery === readBackEvery - 1) await readBack(own);
    }
    connection.close();
  };
  await Promise.all(Array.from({ length: connectionCount }, worker));
  await readBack(own);
  own.close();
}

console.log(`seed ${seed}`);
const dataDirectory = mkdtempSync(join(tmpdir(), 'flotilla-fuzz-'));
try {
  for (const phase of ['first', 'second'] as const) {
    const server = await startServerProcess({ dataDirectory, onLogLine });
    if (phase === 'first') await run(server);
    else {
      const connection = await connect(server);
      await readBack(connection);
      connection.close();
    }
    const code = await server.stop();
    if (code !== 0) problems.push(`the server of the ${phase} start ended with ${code}`);
  }
} finally {
  rmSync(dataDirectory, { recursive: true, force: true });
}
const counts = [...codes].sort(([a], [b]) => a - b).map(([code, count]) => `${code}: ${count}`);
console.log(`${sent} requests, answers ${counts.join(', ')}`);
for (const problem of problems.slice(0, 3)) console.log(`failed: ${problem}`);
console.log(`${problems.length === 0 ? 1 : 0} passed, ${problems.length === 0 ? 0 : 1} failed, 0 skipped`);
process.exit(problems.length === 0 ? 0 : 1);
