// Who answers to a name: what the API says, and what each host says.
import type { HttpClient } from '../../src/client/http-client.ts';
import { endpointSlices, nodes, type Pod, pods, type Service, services } from '../../src/resources/kinds.ts';
import { labels } from '../../src/resources/names.ts';
import { isPodLost } from '../../src/resources/pod-facts.ts';
import { matchesSelector } from '../../src/resources/selectors.ts';
import { machineOf, runOn } from '../e2e/host-state.ts';
import type { TestLab } from '../e2e/lab.ts';
import { isReady } from './check.ts';
import { namespace } from './workload-objects.ts';

/** Service objects whose endpoints, or whose name or address on a host, are not exactly their ready pods. */
export async function wrongNames(
  lab: TestLab,
  client: HttpClient,
  hosts: readonly string[],
): Promise<readonly string[]> {
  const [wanted, found, slices, machines] = await Promise.all([
    client.list(services, { namespace }),
    client.list(pods, { namespace }),
    client.list(endpointSlices, { namespace }),
    client.list(nodes),
  ]);
  const gatewayOf = new Map(machines.items.map(({ metadata, spec }) => [metadata.name, gateway(spec.podCIDRs?.[0])]));
  const sentences: string[] = [];
  for (const service of wanted.items.filter(({ spec }) => spec.selector !== undefined)) {
    const { name } = service.metadata;
    const expected = addressesBehind(service, found.items);
    const endpoints = slices.items
      .filter(({ metadata }) => metadata.labels?.[labels.serviceName] === name)
      .flatMap((slice) => slice.endpoints)
      .filter(({ conditions }) => conditions?.ready !== false)
      .flatMap(({ addresses }) => addresses)
      .sort();
    if (String(endpoints) !== String(expected))
      sentences.push(`endpoints of ${name} are ${endpoints.join(' ')}, its ready pods ${expected.join(' ')}`);
    const address = service.spec.clusterIP ?? 'None';
    const names = address === 'None' ? expected : [address];
    for (const host of hosts) {
      const answer = await lookUp(lab, host, `${name}.${namespace}.svc.cluster.local`, gatewayOf.get(host) ?? '');
      if (String(answer) !== String(names))
        sentences.push(`${host} says ${name} is ${answer.join(' ')}, not ${names.join(' ')}`);
      if (address === 'None') continue;
      const behind = await endpointsBehind(lab, host, address);
      if (String(behind) !== String(expected))
        sentences.push(
          `${host} leads ${address} of ${name} to ${behind.join(' ')}, its ready pods are ${expected.join(' ')}`,
        );
    }
  }
  for (const { metadata } of slices.items) {
    const service = metadata.labels?.[labels.serviceName];
    if (service !== undefined && service !== 'kubernetes' && !wanted.items.some((one) => one.metadata.name === service))
      sentences.push(`EndpointSlice ${metadata.name} is of no Service`);
  }
  return sentences;
}

function addressesBehind({ spec }: Service, all: readonly Pod[]): readonly string[] {
  return all
    .filter((pod) => matchesSelector({ matchLabels: spec.selector ?? {} }, pod.metadata.labels))
    .filter((pod) => isReady(pod) && !isPodLost(pod) && pod.metadata.deletionTimestamp === undefined)
    .map((pod) => pod.status?.podIP ?? '')
    .sort();
}

async function lookUp(lab: TestLab, host: string, name: string, server: string): Promise<readonly string[]> {
  const argv = ['busybox', 'nslookup', '-type=a', name, server];
  const { stdout } = await runOn(await machineOf(lab, host), argv, { timeoutMs: 10_000 });
  const answers = stdout.slice(stdout.indexOf('Name:')); // the server's own address stands before
  return stdout.includes('Name:')
    ? [...answers.matchAll(/^Address(?: \d+)?: (\S+)$/gm)].map((one) => one[1] ?? '').sort()
    : [];
}

/** Where the kernel of a host leads connections to a service address: as many of its elements as its chain counts. */
async function endpointsBehind(lab: TestLab, host: string, address: string): Promise<readonly string[]> {
  const { stdout } = await runOn(await machineOf(lab, host), ['nft', 'list', 'table', 'ip', 'flotilla_services'], {
    timeoutMs: 10_000,
  });
  const text = stdout.replace(/,\n?\s*/g, '\n');
  const count = Number(new RegExp(`${address}(?: \\. tcp \\. \\d+)? : goto \\w+_inside_(\\d+)`).exec(text)?.[1] ?? 0);
  const elements = new RegExp(`${address}(?: \\. \\d+)? \\. (\\d+) : (10\\.[\\d.]+)`, 'g');
  const found = [...text.matchAll(elements)].filter(([, index]) => Number(index) < count).map(([, , to]) => to ?? '');
  return [...new Set(found)].sort();
}

/** `10.80.3.0/24` → `10.80.3.1`, where the node's DNS listens. */
function gateway(range: string | undefined): string {
  return range?.replace(/\.0\/\d+$/, '.1') ?? '';
}
