import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect } from 'node:net';
import type { Container, Probe } from 'kubernetes-types/core/v1.js';
import type { ContainerRuntime } from '../../adapters/runtime/port.ts';
import { hasCode, messageOf } from '../../lib/errors.ts';
import { probeByGrpc } from './probe-grpc.ts';

export interface ProbeTarget {
  readonly container: Container;
  readonly containerId: string;
  /** The pod's address. */
  readonly address: string;
}

export interface ProbeResult {
  readonly isSuccess: boolean;
  /** The other side's words, for the event. */
  readonly message: string;
  /** It could not be asked: the engine is away. That says nothing about the container. */
  readonly isUnknown?: boolean;
}

const maxOutputBytes = 1_024;

/** Asks once. Never throws: what cannot be asked has failed. */
export async function runProbe(probe: Probe, target: ProbeTarget, runtime: ContainerRuntime): Promise<ProbeResult> {
  const timeoutMs = (probe.timeoutSeconds ?? 1) * 1_000;
  try {
    if (probe.exec) return await probeByExec(probe.exec.command ?? [], target, runtime, timeoutMs);
    if (probe.httpGet) return await probeByHttp(probe.httpGet, target, timeoutMs);
    if (probe.tcpSocket) {
      return await probeByTcp(
        probe.tcpSocket.host ?? target.address,
        portOf(probe.tcpSocket.port, target.container),
        timeoutMs,
      );
    }
    if (probe.grpc) {
      return await probeByGrpc(target.address, probe.grpc.port, probe.grpc.service ?? '', timeoutMs);
    }
    return { isSuccess: true, message: '' };
  } catch (error) {
    const isUnknown = hasCode(error, 'EngineFailed') && error.retryable;
    return { isSuccess: false, message: messageOf(error), ...(isUnknown ? { isUnknown } : {}) };
  }
}

function portOf(port: number | string, container: Container): number {
  if (typeof port === 'number') return port;
  const named = container.ports?.find((one) => one.name === port);
  if (!named) throw new Error(`no port is named "${port}"`);
  return named.containerPort;
}

function probeByHttp(get: NonNullable<Probe['httpGet']>, target: ProbeTarget, timeoutMs: number): Promise<ProbeResult> {
  const isTls = get.scheme === 'HTTPS';
  const headers: Record<string, string> = { 'user-agent': 'flotilla-probe', accept: '*/*', connection: 'close' };
  for (const { name, value } of get.httpHeaders ?? []) headers[name.toLowerCase()] = value ?? '';
  const path = get.path ?? '/';
  return new Promise((resolve) => {
    const request = (isTls ? httpsRequest : httpRequest)({
      host: get.host ?? target.address,
      port: portOf(get.port, target.container),
      path: path.startsWith('/') ? path : `/${path}`,
      headers,
      agent: false,
      // The name in the certificate is the service's, not the pod's address.
      ...(isTls ? { rejectUnauthorized: false } : {}),
    });
    const timer = setTimeout(() => request.destroy(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
    const end = (result: ProbeResult) => {
      clearTimeout(timer);
      resolve(result);
      request.destroy();
    };
    request.on('response', (response) => {
      const status = response.statusCode ?? 0;
      response.on('error', () => {});
      end({ isSuccess: status >= 200 && status < 400, message: `HTTP probe failed with statuscode: ${status}` });
    });
    request.on('error', (error) => end({ isSuccess: false, message: error.message }));
    request.end();
  });
}

function probeByTcp(host: string, port: number, timeoutMs: number): Promise<ProbeResult> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const timer = setTimeout(() => socket.destroy(new Error(`no connection within ${timeoutMs} ms`)), timeoutMs);
    const end = (result: ProbeResult) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(result);
    };
    socket.on('connect', () => end({ isSuccess: true, message: '' }));
    socket.on('error', (error) => end({ isSuccess: false, message: error.message }));
  });
}

async function probeByExec(
  command: readonly string[],
  target: ProbeTarget,
  runtime: ContainerRuntime,
  timeoutMs: number,
): Promise<ProbeResult> {
  const abort = new AbortController();
  const late = Promise.withResolvers<ProbeResult>();
  const timer = setTimeout(() => {
    abort.abort();
    late.resolve({ isSuccess: false, message: `command "${command.join(' ')}" timed out after ${timeoutMs} ms` });
  }, timeoutMs);
  const run = async (): Promise<ProbeResult> => {
    const session = await runtime.exec(target.containerId, { command, tty: false, stdin: false }, abort.signal);
    let output = '';
    const collect = (chunk: Buffer) => {
      if (output.length < maxOutputBytes) output += chunk.toString('utf8').slice(0, maxOutputBytes - output.length);
    };
    session.stdout.on('data', collect);
    session.stderr.on('data', collect);
    const code = await session.exitCode();
    return { isSuccess: code === 0, message: output.trim() || `command "${command.join(' ')}" exited with ${code}` };
  };
  try {
    const running = run();
    running.catch(() => {}); // an aborted one fails after it was given up
    return await Promise.race([running, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
