import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { messageOf } from '../../lib/errors.ts';
import type { CheckResult, NetworkChecks, PeerCheck } from '../../resources/network-report.ts';

export interface CheckTargets {
  /** Node name → gateway address, where that node's DNS answers. */
  readonly peers: ReadonlyMap<string, string>;
  /** Of this node. */
  readonly gateway: string;
  /** That exists in every cluster. */
  readonly name: string;
  readonly serviceAddress?: { readonly address: string; readonly port: number };
}

const dnsPort = 53;
const deadlineMs = 3_000;
/** Several packets of full size, whatever the path's largest is. */
const bulkBytes = 8_192;

/** Tries what pods do; each check by itself, all at once. Takes some seconds at most. */
export async function checkNetwork(targets: CheckTargets, signal: AbortSignal): Promise<NetworkChecks> {
  const { serviceAddress } = targets;
  const peers = Promise.all(
    [...targets.peers].map(async ([node, gateway]) => [node, await checkPeer(gateway, signal)]),
  );
  const [ofPeers, dns, service] = await Promise.all([
    peers,
    timed((until) => askName(targets.gateway, targets.name, until), signal),
    serviceAddress && timed((until) => exchange(serviceAddress.address, serviceAddress.port, undefined, until), signal),
  ]);
  return {
    peers: Object.fromEntries(ofPeers) as Record<string, PeerCheck>,
    dns,
    ...(service ? { serviceAddress: service } : {}),
  };
}

async function checkPeer(gateway: string, signal: AbortSignal): Promise<PeerCheck> {
  const reach = await timed((until) => exchange(gateway, dnsPort, undefined, until), signal);
  if (!reach.isOk) return { reach };
  // An answer to a question that fills several packets: none of them got lost for its size.
  return { reach, fullSize: await timed((until) => exchange(gateway, dnsPort, paddedQuestion(), until), signal) };
}

async function timed(check: (signal: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<CheckResult> {
  const startMs = performance.now();
  const passed = () => Math.round((performance.now() - startMs) * 10) / 10;
  try {
    await check(AbortSignal.any([signal, AbortSignal.timeout(deadlineMs)]));
    return { isOk: true, ms: passed() };
  } catch (error) {
    const isLate = (error as Error).name === 'TimeoutError';
    return { isOk: false, ms: passed(), error: isLate ? `no answer within ${deadlineMs / 1_000} s` : messageOf(error) };
  }
}

/** Connects; with a request it also waits for the first byte of the answer. */
function exchange(host: string, port: number, request: Buffer | undefined, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    const end = (error?: unknown) => {
      signal.removeEventListener('abort', onAbort);
      socket.destroy();
      if (error) reject(error);
      else resolve();
    };
    const onAbort = () => end(signal.reason);
    if (signal.aborted) return onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    socket.once('connect', () => (request ? socket.write(request) : end()));
    socket.once('data', () => end());
    socket.once('end', () => end(new Error('the connection was closed without an answer')));
    socket.once('error', end);
  });
}

/** A query of type A over UDP; any answer code but "no such name" and failures of the server will do. */
function askName(server: string, name: string, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = createSocket('udp4');
    const end = (error?: unknown) => {
      signal.removeEventListener('abort', onAbort);
      socket.close();
      if (error) reject(error);
      else resolve();
    };
    const onAbort = () => end(signal.reason);
    if (signal.aborted) return onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    socket.once('error', end);
    socket.once('message', (answer) => {
      const code = (answer[3] ?? 0) & 0x0f;
      end(code === 0 ? undefined : new Error(`${name}: answer code ${code}`));
    });
    // Connected, so that a port that nobody listens on is an error at once.
    socket.connect(dnsPort, server, () => socket.send(question(name)));
  });
}

/** RFC 1035 §4.1, recursion desired. */
function question(name: string, additional = Buffer.alloc(0)): Buffer {
  const header = Buffer.from([0x66, 0x6c, 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, additional.length > 0 ? 1 : 0]);
  const labels = name.split('.').flatMap((label) => [Buffer.from([label.length]), Buffer.from(label, 'latin1')]);
  return Buffer.concat([header, ...labels, Buffer.from([0, 0, 1, 0, 1]), additional]);
}

/** Over TCP, with the padding option of EDNS (RFC 7830). */
function paddedQuestion(): Buffer {
  const option = Buffer.alloc(4 + bulkBytes);
  option.writeUInt16BE(12, 0);
  option.writeUInt16BE(bulkBytes, 2);
  const opt = Buffer.from([0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 0]);
  opt.writeUInt16BE(option.length, 9);
  const message = question('kubernetes.default.svc.cluster.local', Buffer.concat([opt, option]));
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length);
  return Buffer.concat([length, message]);
}
