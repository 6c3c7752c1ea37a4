import type { NetworkReport, PeerReport } from '../../resources/network-report.ts';
import { print, renderTable } from '../output.ts';

/** The network part of `node show`. */
export function printNetwork({ mtu, applied, problem, notes, peers }: NetworkReport): void {
  const follows = applied.problem === undefined ? '' : `, and does not get on: ${applied.problem}`;
  print(
    `network    ${problem ?? 'up'}${mtu === undefined ? '' : `, MTU ${mtu}`}; follows changes up to ${applied.revision}${follows}`,
  );
  for (const note of notes) print(`note       ${note}`);
  if (peers.length > 0)
    print(
      `\n${renderTable(['PEER', 'PODS', 'WAY', 'ADDRESS', 'MTU', 'HANDSHAKE', 'RECEIVED', 'SENT'], peers.map(peerRow))}`,
    );
}

function peerRow(peer: PeerReport): string[] {
  return [
    peer.node,
    peer.podCIDR,
    peer.way ?? 'none',
    peer.address ?? '-',
    peer.mtu === undefined ? '-' : String(peer.mtu),
    handshakeText(peer.handshakeAgeMs),
    bytesText(peer.receivedBytes),
    bytesText(peer.sentBytes),
  ];
}

export function handshakeText(ageMs: number | undefined): string {
  if (ageMs === undefined) return '-';
  return ageMs < 0 ? 'never' : `${Math.round(ageMs / 1_000)}s ago`;
}

function bytesText(bytes: number | undefined): string {
  if (bytes === undefined) return '-';
  if (bytes < 10_000) return `${bytes} B`;
  return bytes < 10_000_000 ? `${Math.round(bytes / 1_000)} kB` : `${Math.round(bytes / 1_000_000)} MB`;
}
