import type { NetworkReport, PeerReport } from '../../resources/network-report.ts';

export interface NodeAnswer {
  readonly node: string;
  /** What its agent said; absent: it could not be asked. */
  readonly report?: NetworkReport;
  readonly error?: string;
}

/** One thing that is wrong, with what is likely behind it. */
export interface Finding {
  /** `h1 → h3`, or a node. */
  readonly where: string;
  readonly what: string;
  readonly cause: string;
}

/** Handshakes are renewed every two minutes while there is traffic. */
const staleHandshakeMs = 180_000;

/** A packet or so may be on its way. */
const fewBytes = 200;

/** What the answers of all nodes say together: one side of a pair often knows what the other only feels. */
export function diagnose(answers: readonly NodeAnswer[]): Finding[] {
  const reports = new Map(answers.flatMap(({ node, report }) => (report ? [[node, report] as const] : [])));
  return answers.flatMap(({ node, report, error }) => {
    if (!report) {
      return [
        {
          where: node,
          what: `its agent cannot be asked: ${error ?? 'no answer'}`,
          cause: 'the node is down or cut off',
        },
      ];
    }
    return [...ofNode(report), ...ofPairs(report, reports)];
  });
}

function ofNode({ node, problem, applied, checks }: NetworkReport): Finding[] {
  const found: Finding[] = [];
  if (problem !== undefined) found.push({ where: node, what: 'the pod network is not up', cause: problem });
  if (applied.problem !== undefined) {
    found.push({ where: node, what: 'names and service addresses do not follow', cause: applied.problem });
  }
  if (checks && !checks.dns.isOk) {
    const cause = /REFUSED/.test(checks.dns.error ?? '')
      ? 'nothing listens there: the DNS process is down, or another program has the port'
      : 'the DNS process is down, or a firewall of the host drops it';
    found.push({ where: node, what: `DNS does not answer: ${checks.dns.error}`, cause });
  }
  if (checks?.serviceAddress && !checks.serviceAddress.isOk) {
    found.push({
      where: node,
      what: `service addresses do not work: ${checks.serviceAddress.error}`,
      cause:
        'the rules of service addresses are missing or overruled on this host (nft list table ip flotilla_services)',
    });
  }
  return found;
}

function ofPairs(report: NetworkReport, reports: ReadonlyMap<string, NetworkReport>): Finding[] {
  const found: Finding[] = [];
  for (const [name, { reach, fullSize }] of Object.entries(report.checks?.peers ?? {})) {
    const where = `${report.node} → ${name}`;
    const peer = report.peers.find(({ node }) => node === name);
    if (!reach.isOk && /ECONNREFUSED/.test(reach.error ?? '')) {
      const cause = `the overlay works; the DNS process of ${name} is down`;
      found.push({ where, what: 'is reached, and nothing answers there', cause });
    } else if (!reach.isOk) {
      const cause = causeOfSilence(report, peer, name, reports);
      found.push({ where, what: `cannot be reached over the overlay: ${reach.error}`, cause });
    } else if (fullSize && !fullSize.isOk) {
      const mtu = peer?.mtu ?? report.mtu;
      const cause = `packets of full size${mtu === undefined ? '' : ` (${mtu} bytes)`} get lost: a link between has a smaller MTU, and messages that would say so are filtered`;
      found.push({ where, what: `large packets do not arrive: ${fullSize.error}`, cause });
    }
  }
  return found;
}

function causeOfSilence(
  report: NetworkReport,
  peer: PeerReport | undefined,
  name: string,
  reports: ReadonlyMap<string, NetworkReport>,
): string {
  const other = reports.get(name);
  if (!other) return `node ${name} is down or cut off`;
  if (other.podCIDR === undefined) return `node ${name} has no address range yet`;
  if (other.problem !== undefined) return `the pod network of ${name} is not up: ${other.problem}`;
  if (peer?.way === undefined) return `${report.node} has no route to ${other.podCIDR}: its agent has not made one yet`;
  const isBack = other.checks?.peers[report.node]?.reach.isOk;
  if (peer.way === 'wireguard') {
    const fromHere = other.peers.find(({ node }) => node === report.node)?.receivedBytes;
    return causeInTunnel(report, peer, name, fromHere);
  }
  if (isBack === true) return `a firewall on ${name} or between drops packets in this direction only`;
  if (peer.way === 'vxlan') return `UDP to ${peer.address} (VXLAN) is blocked between them`;
  return `${peer.address} does not forward, or a router between the two does not know ${other.podCIDR}: plain routes need hosts of one network (trustedSubnets)`;
}

/** `arrivedBytes`: what the other side has of this one. */
function causeInTunnel(
  report: NetworkReport,
  peer: PeerReport,
  name: string,
  arrivedBytes: number | undefined,
): string {
  if (peer.address === undefined) {
    return `nobody knows where ${name} is: both are behind NAT, or ${name} has not called yet`;
  }
  const age = peer.handshakeAgeMs ?? -1;
  if (age < 0) return `no handshake yet: UDP to ${peer.address} is blocked between ${report.node} and ${name}`;
  if (age > staleHandshakeMs) {
    return `no handshake for ${Math.round(age / 1_000)} s: ${name} is no longer at ${peer.address}, or UDP is blocked since`;
  }
  const lostBytes = (peer.sentBytes ?? 0) - (arrivedBytes ?? 0);
  if (arrivedBytes !== undefined && lostBytes > fewBytes) {
    return `${lostBytes} bytes that ${report.node} sent to ${peer.address} have not arrived: UDP from it to ${name} is blocked since`;
  }
  return `the tunnel stands; a firewall on ${name} drops what comes out of it`;
}
