import { createSocket } from 'node:dgram';
import { connect, isIPv6 } from 'node:net';
import { headerBytes } from '../message/question.ts';

export interface Upstream {
  readonly address: string;
  readonly port: number;
}

/** `address`, `address:port`, `[address]:port`. */
export function parseUpstream(text: string): Upstream {
  const split = /^\[([^\]]+)\]:(\d+)$/.exec(text) ?? /^([\d.]+):(\d+)$/.exec(text);
  return split ? { address: split[1] ?? '', port: Number(split[2]) } : { address: text, port: 53 };
}

/**
 * One question to one resolver, over TCP when the answer does not fit. A socket a question: its random port, and the random
 * id, make forged answers hard (RFC 5452); what does not repeat id and question is not an answer.
 */
export async function exchange(query: Buffer, upstream: Upstream, signal: AbortSignal): Promise<Buffer> {
  const answer = await askOverUdp(query, upstream, signal);
  const isTruncated = ((answer[2] ?? 0) & 0x02) !== 0;
  return isTruncated ? await askOverTcp(query, upstream, signal) : answer;
}

function askOverUdp(query: Buffer, { address, port }: Upstream, signal: AbortSignal): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
    let isOpen = true;
    const finish = (end: () => void) => {
      if (!isOpen) return;
      isOpen = false;
      signal.removeEventListener('abort', abort);
      socket.close();
      end();
    };
    const abort = () => finish(() => reject(new Error('no answer')));
    if (signal.aborted) return abort();
    signal.addEventListener('abort', abort);
    socket.on('error', (error) => finish(() => reject(error)));
    socket.on('message', (answer) => {
      if (isAnswerTo(query, answer)) finish(() => resolve(answer));
    });
    // A connected socket hears of "nobody listens there", and of no other sender.
    socket.connect(port, address, () => isOpen && socket.send(query));
  });
}

function askOverTcp(query: Buffer, { address, port }: Upstream, signal: AbortSignal): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address, port });
    const chunks: Buffer[] = [];
    let received = 0;
    const abort = () => void socket.destroy(new Error('no answer'));
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort);
    socket.on('connect', () => socket.write(withLength(query)));
    socket.on('data', (chunk) => {
      chunks.push(chunk);
      received += chunk.length;
      if (received < 2) return;
      const all = chunks.length === 1 ? chunk : Buffer.concat(chunks);
      if (received < 2 + all.readUInt16BE(0)) return;
      const answer = all.subarray(2, 2 + all.readUInt16BE(0));
      if (isAnswerTo(query, answer)) resolve(answer);
      socket.destroy();
    });
    socket.on('error', reject);
    socket.on('close', () => {
      signal.removeEventListener('abort', abort);
      reject(new Error('closed without an answer'));
    });
  });
}

/** Same id, same question. The letter case of the name is the client's. */
function isAnswerTo(query: Buffer, answer: Buffer): boolean {
  if (answer.length < headerBytes || answer.readUInt16BE(0) !== query.readUInt16BE(0)) return false;
  if (((answer[2] ?? 0) & 0x80) === 0) return false;
  const isBare = answer.readUInt16BE(4) === 0; // FORMERR of a resolver that could not read it
  if (isBare) return ((answer[3] ?? 0) & 0xf) === 1;
  const end = questionEnd(query);
  if (answer.length < end) return false;
  const text = (packet: Buffer) => packet.toString('latin1', headerBytes, end - 4).toLowerCase();
  return text(answer) === text(query) && answer.compare(query, end - 4, end, end - 4, end) === 0;
}

/** Of a query that we made: its name is whole. */
function questionEnd(query: Buffer): number {
  let offset = headerBytes;
  for (let length = query[offset] ?? 0; length > 0; length = query[offset] ?? 0) offset += length + 1;
  return offset + 5;
}

/** RFC 1035 §4.2.2: over TCP each message has its length in front. */
export function withLength(packet: Buffer): Buffer {
  const framed = Buffer.allocUnsafe(2 + packet.length);
  framed.writeUInt16BE(packet.length);
  framed.set(packet, 2);
  return framed;
}
