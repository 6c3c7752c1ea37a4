import { connect } from 'node:http2';
import type { ProbeResult } from './prober.ts';

/** `ServingStatus.SERVING` of grpc.health.v1. */
const serving = 1;
const words = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'];
const maxAnswerBytes = 4_096;

/** `grpc.health.v1.Health/Check` without TLS, as Kubernetes asks (grpc/doc/health-checking.md, PROTOCOL-HTTP2.md). */
export function probeByGrpc(host: string, port: number, service: string, timeoutMs: number): Promise<ProbeResult> {
  return new Promise((resolve) => {
    const session = connect(`http://${host}:${port}`);
    const end = (result: ProbeResult) => {
      clearTimeout(timer);
      session.destroy();
      resolve(result);
    };
    const fail = (message: string) => end({ isSuccess: false, message });
    const timer = setTimeout(() => fail(`no answer within ${timeoutMs} ms`), timeoutMs);
    session.on('error', (error) => fail(error.message));
    const stream = session.request({
      ...{ ':method': 'POST', ':path': '/grpc.health.v1.Health/Check', te: 'trailers' },
      'content-type': 'application/grpc',
    });
    const chunks: Buffer[] = [];
    let bytes = 0;
    let status: string | undefined;
    let detail = '';
    const readStatus = (headers: Record<string, unknown>) => {
      if (headers['grpc-status'] !== undefined) status = String(headers['grpc-status']);
      if (headers['grpc-message'] !== undefined) detail = String(headers['grpc-message']);
    };
    // An answer without a body has its status among the headers.
    stream.on('response', readStatus);
    stream.on('trailers', readStatus);
    stream.on('error', (error) => fail(error.message));
    stream.on('data', (chunk: Buffer) => {
      bytes += chunk.byteLength;
      if (bytes > maxAnswerBytes) fail('the answer is no HealthCheckResponse: too long');
      else chunks.push(chunk);
    });
    stream.on('end', () => {
      if (status !== '0') return fail(`gRPC status ${status ?? 'missing'}${detail === '' ? '' : `: ${detail}`}`);
      const found = parseHealth(Buffer.concat(chunks));
      if (found === serving) end({ isSuccess: true, message: '' });
      else fail(`service unhealthy (responded with "${words[found] ?? found}")`);
    });
    stream.end(renderRequest(service));
  });
}

/** HealthCheckRequest: the service's name in field 1; before it one byte "not compressed" and four of length. */
export function renderRequest(service: string): Buffer {
  const name = Buffer.from(service, 'utf8');
  const length: number[] = [];
  for (let rest = name.byteLength; ; rest >>>= 7) {
    length.push(rest > 127 ? (rest & 127) | 128 : rest);
    if (rest <= 127) break;
  }
  const body = name.byteLength === 0 ? Buffer.alloc(0) : Buffer.concat([Buffer.from([0x0a, ...length]), name]);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(body.byteLength, 1);
  return Buffer.concat([head, body]);
}

/** HealthCheckResponse: an enum in field 1; an absent one is 0, UNKNOWN. */
export function parseHealth(answer: Buffer): number {
  const body = answer.subarray(5);
  return body.length >= 2 && body[0] === 0x08 ? (body[1] ?? 0) : 0;
}
