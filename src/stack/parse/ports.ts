import { isIP } from 'node:net';
import type { StackPort } from '../../resources/stack-types.ts';
import { portRules } from './keys.ts';
import type { Reader } from './reader.ts';
import type { Source } from './source.ts';

const maxRange = 256;
type Protocol = StackPort['protocol'];

export function readPorts(reader: Reader, source: Source, where: string): StackPort[] {
  const ports: StackPort[] = [];
  const seen = new Set<string>();
  for (const item of reader.list(source, `"ports" ${where}`) ?? []) {
    const found = item.type === 'map' ? readLongPort(reader, item, where) : readShortPorts(reader, item, where);
    for (const port of found) {
      const key = `${port.hostIP ?? ''}:${port.hostPort ?? ''}:${port.containerPort}/${port.protocol}`;
      if (seen.has(key)) reader.problems.add(item.at, `the same port twice ${where}`);
      else if (ports.some((one) => wantSame(one, port))) {
        reader.problems.add(item.at, `two ports ${where} at port ${port.hostPort} of the host`);
      }
      seen.add(key);
      ports.push(port);
    }
  }
  return ports;
}

/** They cannot both be had on one node. */
function wantSame(left: StackPort, right: StackPort): boolean {
  const isAny = ({ hostIP }: StackPort): boolean => hostIP === undefined || hostIP === '0.0.0.0';
  return (
    left.hostPort !== undefined &&
    left.hostPort === right.hostPort &&
    left.protocol === right.protocol &&
    (left.hostIP === right.hostIP || (isAny(left) && !isIPv6(right)) || (isAny(right) && !isIPv6(left)))
  );
}

function isIPv6({ hostIP }: StackPort): boolean {
  return hostIP !== undefined && isIP(hostIP) === 6;
}

/** `80`, `8080:80`, `127.0.0.1:8080:80/udp`, `[::1]:53:53`, `3000-3005`, `9090-9091:8080-8081`. */
function readShortPorts(reader: Reader, source: Source, where: string): StackPort[] {
  const scalar = reader.scalar(source, `a port ${where}`, 'a port such as "8080:80"');
  if (!scalar) return [];
  const result = parsePort(scalar.text);
  if (typeof result !== 'string') return result;
  reader.problems.add(scalar.at, `port "${scalar.text}" ${where}: ${result}`, 'write it as "8080:80", in quotes');
  return [];
}

/** The ports, or why there are none. */
export function parsePort(text: string): StackPort[] | string {
  const match = /^(?:(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]*)):)?(?:([\d-]*):)?([\d-]+)(?:\/(\w+))?$/.exec(text);
  if (!match) return 'it is no port';
  let [, ipv6, address, published, target = '', protocolText] = match;
  // "8080:80": what stands before a single colon is a port unless it is an address.
  if (ipv6 === undefined && published === undefined && address !== undefined)
    [published, address] = [address, undefined];
  const hostIP = ipv6 ?? address;
  if (hostIP !== undefined && isIP(hostIP) === 0) return `"${hostIP}" is no IP address`;
  const protocol = parseProtocol(protocolText);
  if (!protocol) return `protocol "${protocolText}" is neither tcp nor udp`;
  const targets = parseRange(target);
  if (typeof targets === 'string') return targets;
  const hostPorts = published ? parseRange(published) : undefined;
  if (typeof hostPorts === 'string') return hostPorts;
  if (hostPorts && hostPorts.length !== targets.length) {
    return `${hostPorts.length} ports of the host for ${targets.length} of the container`;
  }
  return targets.map((containerPort, index) => portOf(containerPort, hostPorts?.[index], hostIP, protocol));
}

function portOf(
  containerPort: number,
  hostPort: number | undefined,
  hostIP: string | undefined,
  protocol: Protocol,
): StackPort {
  return {
    containerPort,
    protocol,
    ...(hostPort === undefined ? {} : { hostPort }),
    ...(hostIP === undefined ? {} : { hostIP }),
  };
}

function readLongPort(reader: Reader, source: Source, where: string): StackPort[] {
  const fields = reader.fields(source, `a port ${where}`, `in "ports" ${where}`, portRules);
  if (!fields) return [];
  const what = (key: string): string => `"${key}" of a port ${where}`;
  const target = fields.get('target');
  if (!target) {
    reader.problems.add(fields.at, `a port ${where} has no "target"`, 'it is the port of the container');
    return [];
  }
  const containerPort = readPortNumber(reader, target, what('target'));
  const published = fields.get('published');
  const hostPort = published && readPortNumber(reader, published, what('published'));
  const ip = fields.get('host_ip');
  const hostIP = ip && reader.string(ip, what('host_ip'));
  if (ip && hostIP !== undefined && isIP(hostIP) === 0) reader.problems.add(ip.at, `"${hostIP}" is no IP address`);
  const protocolSource = fields.get('protocol');
  const protocol = protocolSource && reader.oneOf(protocolSource, what('protocol'), ['tcp', 'udp']);
  const mode = fields.get('mode');
  if (mode && reader.oneOf(mode, what('mode'), ['host', 'ingress']) === 'ingress') {
    reader.problems.warn(
      mode.at,
      `"mode: ingress" of a port ${where} means "host"`,
      'it is published on the nodes that run an instance',
    );
  }
  return containerPort === undefined
    ? []
    : [portOf(containerPort, hostPort, hostIP, protocol === 'udp' ? 'UDP' : 'TCP')];
}

/** A number, or text that is one, from 1 to 65535. */
function readPortNumber(reader: Reader, source: Source, what: string): number | undefined {
  const scalar = reader.scalar(source, what, 'a port');
  if (!scalar) return undefined;
  const ports = parseRange(scalar.text);
  if (typeof ports !== 'string' && ports.length === 1) return ports[0];
  return reader.problems.add(scalar.at, `${what} must be a port from 1 to 65535, not "${scalar.text}"`);
}

export function readExpose(reader: Reader, source: Source, where: string): { port: number; protocol: Protocol }[] {
  const items = source.type === 'list' ? source.items : [source];
  return items.flatMap((item) => {
    const scalar = reader.scalar(item, `"expose" ${where}`, 'a port');
    if (!scalar) return [];
    const [range = '', protocolText, ...rest] = scalar.text.split('/');
    const protocol = parseProtocol(protocolText);
    const ports = parseRange(range);
    if (protocol && rest.length === 0 && typeof ports !== 'string') return ports.map((port) => ({ port, protocol }));
    reader.problems.add(scalar.at, `"expose" ${where} must be a port such as "8080" or "53/udp", not "${scalar.text}"`);
    return [];
  });
}

function parseProtocol(text: string | undefined): Protocol | undefined {
  if (text === undefined || /^tcp$/i.test(text)) return 'TCP';
  return /^udp$/i.test(text) ? 'UDP' : undefined;
}

/** `80` or `8000-8010`, or why it is none. */
function parseRange(text: string): number[] | string {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text);
  if (!match) return `"${text}" is no port`;
  const first = Number(match[1]);
  const last = Number(match[2] ?? match[1]);
  if (first < 1 || last > 65_535) return `"${text}" is not from 1 to 65535`;
  if (last < first) return `"${text}" goes backwards`;
  if (last - first >= maxRange) return `"${text}" is more than ${maxRange} ports`;
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}
