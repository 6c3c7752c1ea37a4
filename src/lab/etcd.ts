import type { LabLayout, MachineLayout } from './layout.ts';

/** One member of the etcd that several servers share; its data is on its machine's disk. */
export interface EtcdMember {
  /** That of its machine; `sw` on the switch. */
  readonly name: string;
  readonly address: string;
  readonly directory: string;
}

const clientPort = 2379;
const peerPort = 2380;

/** A single server keeps its objects in a file of its own. */
export function hasEtcd(lab: LabLayout): boolean {
  return lab.servers.length > 1;
}

/**
 * One on each server's machine. An even number of members survives no more losses than one less: beside two or four
 * servers the switch, which never fails, carries one more.
 */
export function etcdMembers(lab: LabLayout): readonly EtcdMember[] {
  if (!hasEtcd(lab)) return [];
  const members = lab.servers.map(({ name, address, directory }) => ({ name, address, directory }));
  return hasEtcdOnSwitch(lab) ? [...members, etcdOnSwitch(lab)] : members;
}

export function hasEtcdOnSwitch(lab: LabLayout): boolean {
  return hasEtcd(lab) && lab.servers.length % 2 === 0;
}

export function etcdOnSwitch(lab: LabLayout): EtcdMember {
  return { name: 'sw', address: lab.switch.address, directory: lab.switch.directory };
}

/** All members as one server asks them: that of its own machine first. */
export function etcdUrlsFor(lab: LabLayout, machine: MachineLayout): readonly string[] {
  const members = etcdMembers(lab);
  const own = members.filter(({ name }) => name === machine.name);
  return [...own, ...members.filter(({ name }) => name !== machine.name)].map(etcdUrl);
}

export function etcdUrl({ address }: EtcdMember): string {
  return `http://${address}:${clientPort}`;
}

export function etcdCommand(lab: LabLayout, member: EtcdMember): readonly string[] {
  const peerUrl = (one: EtcdMember) => `http://${one.address}:${peerPort}`;
  const cluster = etcdMembers(lab).map((one) => `${one.name}=${peerUrl(one)}`);
  return [
    ...['etcd', '--name', member.name, '--data-dir', `${member.directory}/etcd`],
    ...['--listen-client-urls', etcdUrl(member), '--advertise-client-urls', etcdUrl(member)],
    ...['--listen-peer-urls', peerUrl(member), '--initial-advertise-peer-urls', peerUrl(member)],
    ...['--initial-cluster', cluster.join(','), '--initial-cluster-token', lab.name],
    // A member whose cable was out does not make the others elect anew when it comes back.
    '--pre-vote',
  ];
}
