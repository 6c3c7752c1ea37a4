import { type Clock, systemClock } from '../../lib/clock.ts';
import { FlotillaError, messageOf } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import { createAnswers } from './answer.ts';
import { Listener, type ListenerSockets, openListener } from './listener.ts';
import { parseQuery, type Question } from './message/question.ts';
import type { ResourceRecord } from './message/record.ts';
import { renderRefusal, renderResponse } from './message/response.ts';
import type { DnsAddress, DnsServer, DnsSettings, DnsStats, DnsZone, DnsZoneChange } from './port.ts';
import type { Respond } from './tcp-connection.ts';
import { answersOf, renderFetched } from './upstream/fetched.ts';
import { Forwarder } from './upstream/forwarder.ts';
import { ZoneIndex } from './zone/zone-index.ts';

export interface DnsServerOptions extends DnsSettings {
  /** Where to listen at first. */
  readonly addresses: readonly DnsAddress[];
  /** For all resolvers together. Default 4,000. */
  readonly upstreamTimeoutMs?: number;
  readonly log: Logger;
  readonly clock?: Clock;
}

/** Answers in this process: what the DNS process runs. */
export interface RunningDnsServer extends DnsServer {
  /** Where it listens, with the ports that were taken. */
  readonly listening: readonly Listener[];
  /** Listens there and nowhere else. New addresses are bound first; when one cannot be, all stays as it was. */
  listen(addresses: readonly DnsAddress[]): Promise<void>;
  /** What is asked for from now on is answered so. */
  configure(settings: DnsSettings): void;
  /** Sockets that another process has bound. */
  adopt(where: DnsAddress, sockets: ListenerSockets): void;
  /** What a question that came another way is answered. */
  readonly respond: Respond;
  /** Undefined: nobody has told any names yet. */
  readonly zone: ZoneIndex | undefined;
}

const classInternet = 1;
const classAny = 255;

/** Rejects with HostToolFailed when an address cannot be bound (the bridge may not be there yet: try again). */
export async function startDnsServer(options: DnsServerOptions): Promise<RunningDnsServer> {
  const server = createDnsServer(options);
  await server.listen(options.addresses);
  return server;
}

/** Listens nowhere yet. */
export function createDnsServer(options: Omit<DnsServerOptions, 'addresses'>): RunningDnsServer {
  const { log, upstreamTimeoutMs, clock = systemClock } = options;
  const counters = { queries: 0, forwarded: 0, failures: 0 };
  let answer = createAnswers(options);
  let zone: ZoneIndex | undefined;
  let listeners: readonly Listener[] = [];
  const createForwarder = ({ upstreams, resolvConfPath }: DnsSettings) =>
    new Forwarder({
      ...(upstreams === undefined ? {} : { upstreams }),
      ...(resolvConfPath === undefined ? {} : { resolvConfPath }),
      ...(upstreamTimeoutMs === undefined ? {} : { timeoutMs: upstreamTimeoutMs }),
      isOwn: ({ address, port }) => listeners.some((one) => one.address === address && one.port === port),
      clock,
    });
  let forwarder = createForwarder(options);

  const respond: Respond = (packet, isUdp) => {
    const query = parseQuery(packet);
    if (!query) return undefined;
    counters.queries++;
    if ('refusal' in query) return renderRefusal(query);
    if (query.ednsVersion > 0) return renderResponse(query, { code: 16, isUdp, isForwarded: true });
    if (!isSupported(query)) return renderResponse(query, { code: 4, isUdp, isForwarded: true });
    const found = answer(query, isUdp, zone);
    if (found.kind === 'bytes') return found.packet;
    if (found.kind === 'unknown') return failed(query, isUdp);
    counters.forwarded++;
    return found.kind === 'alias' ? follow(query, isUdp, found) : forward(query, isUdp);
  };

  const failed = (question: Question, isUdp: boolean): Buffer => {
    counters.failures++;
    return renderResponse(question, { code: 2, isUdp, isForwarded: true });
  };

  const forward = (question: Question, isUdp: boolean): Buffer | Promise<Buffer> => {
    const asked = forwarder.ask(question);
    if (!(asked instanceof Promise)) return renderFetched(question, asked.fetched, isUdp, asked.ageSeconds);
    return asked.then((late) =>
      late ? renderFetched(question, late.fetched, isUdp, late.ageSeconds) : failed(question, isUdp),
    );
  };

  const follow = async (
    question: Question,
    isUdp: boolean,
    { records, target }: { readonly records: readonly ResourceRecord[]; readonly target: string },
  ): Promise<Buffer> => {
    const asked = await forwarder.ask({ ...question, name: target, section: sectionFor(target, question) });
    if (!asked) return failed(question, isUdp);
    const { fetched, ageSeconds } = asked;
    if (fetched.code !== 0 && fetched.code !== 3) return failed(question, isUdp);
    const answers = [...records, ...answersOf(fetched, ageSeconds)];
    return renderResponse(question, { code: fetched.code, isUdp, isForwarded: true, answers });
  };

  const listen = async (wanted: readonly DnsAddress[]): Promise<void> => {
    const isSame = (a: DnsAddress, b: DnsAddress) => a.address === b.address && a.port === b.port;
    const opened: Listener[] = [];
    try {
      for (const where of wanted) {
        if (where.port !== 0 && listeners.some((one) => isSame(one, where))) continue;
        opened.push(await openListener(where, respond, log));
      }
    } catch (cause) {
      await Promise.all(opened.map((one) => one.close()));
      throw cannotListen(wanted, cause);
    }
    const kept = listeners.filter((one) => wanted.some((where) => isSame(one, where)));
    const dropped = listeners.filter((one) => !kept.includes(one));
    listeners = [...kept, ...opened];
    await Promise.all(dropped.map((one) => one.close()));
  };

  return {
    get listening() {
      return listeners;
    },
    get zone() {
      return zone;
    },
    respond,
    listen,
    configure: (settings) => {
      answer = createAnswers(settings);
      forwarder = createForwarder(settings);
    },
    adopt: (where, sockets) => {
      listeners = [...listeners, new Listener(where, sockets, respond, log)];
    },
    apply: async (wanted) => {
      zone ??= new ZoneIndex();
      replaceAll(zone, wanted);
    },
    change: async (change) => {
      if (!zone) throw new FlotillaError('Conflict', 'a change of names came before all names were told');
      applyChange(zone, change);
    },
    stats: (): DnsStats => ({ ...counters }),
    stop: async () => void (await Promise.all(listeners.map((one) => one.close()))),
  };
}

/** Zone transfers and the like (RFC 6895 §3.1: meta types but ANY), and classes that nobody uses. */
function isSupported({ type, class: kind }: Question): boolean {
  const isMeta = type === 0 || type === 41 || (type >= 128 && type < 255);
  return !isMeta && (kind === classInternet || kind === classAny);
}

function applyChange(zone: ZoneIndex, { set, drop }: DnsZoneChange): void {
  for (const name of drop) zone.drop(name);
  for (const [name, records] of set) zone.set(name, records);
}

/** What stays as it is keeps what was made of it. */
function replaceAll(zone: ZoneIndex, { names }: DnsZone): void {
  const known = new Map([...zone.entries()].map((entry) => [entry.name, entry]));
  for (const [name, records] of names) {
    const before = known.get(name)?.records;
    known.delete(name);
    if (before !== records && JSON.stringify(before) !== JSON.stringify(records)) zone.set(name, records);
  }
  for (const name of known.keys()) zone.drop(name);
}

function sectionFor(name: string, question: Question): Buffer {
  const labels = name.split('.').map((label) => label.slice(0, 63));
  const encoded = labels.map((label) => `${String.fromCharCode(label.length)}${label}`).join('');
  const section = Buffer.alloc(encoded.length + 5);
  section.write(encoded, 0, 'latin1');
  section.writeUInt16BE(question.type, encoded.length + 1);
  section.writeUInt16BE(question.class, encoded.length + 3);
  return section;
}

function cannotListen(addresses: readonly DnsAddress[], cause: unknown): FlotillaError {
  const where = addresses.map((one) => `${one.address}:${one.port}`).join(', ');
  return new FlotillaError('HostToolFailed', `cannot answer DNS on ${where}: ${messageOf(cause)}`, {
    retryable: true,
    hint: 'see what holds the port with "ss -lnptu sport = :53"',
    cause,
  });
}
