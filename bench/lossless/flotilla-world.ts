import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { HttpClient } from '../../src/client/http-client.ts';
import { pods as podKind } from '../../src/resources/kinds.ts';
import { isReady, type PodView, podsOf } from '../../test/e2e/cluster.ts';
import { clientOf } from '../../test/e2e/invariants.ts';
import { eventually, startLab, type TestLab } from '../../test/e2e/lab.ts';
import { killInstance, killProxy, readyNodes, restartAgent, restartServer } from './flotilla-restarts.ts';
import { createSite, makeNodePort, nodePort } from './flotilla-site.ts';
import { appCommand } from './load.ts';
import type { WireTarget } from './outcome.ts';
import { appPort, entryHosts, hosts, image, siteHost, stackName, type World, type WorldOptions } from './world.ts';

export interface FlotillaWorldOptions extends WorldOptions {
  /** `ingress`: HTTP and HTTPS through the proxies. `ports`: a node port, plain TCP. */
  readonly through: 'ingress' | 'ports';
}

/** A lab of three hosts with the application on it, as a user would have it. */
export async function startFlotillaWorld(options: FlotillaWorldOptions): Promise<World> {
  const lab = await startLab({ name: options.name, octet: options.octet });
  const client = clientOf(lab);
  try {
    return await fill(lab, client, options);
  } catch (error) {
    client.close();
    await lab.down();
    throw error;
  }
}

async function fill(lab: TestLab, client: HttpClient, options: FlotillaWorldOptions): Promise<World> {
  const { instances } = options;
  const collector = await options.collector(`${lab.prefix}.253`);
  const file = join(lab.env.FLOTILLA_CONFIG ?? '', '..', 'stack.yml');
  const deploy = async (version: number) => {
    await writeFile(file, stackFile(version, collector, options));
    await lab.flotilla(['deploy', '-f', file, '--timeout', '2m'], { timeoutMs: 130_000 });
  };
  let version = 1;
  await deploy(version);
  const at = (port: number) => entryHosts.map((host): WireTarget => ({ address: `${lab.prefix}.${host}`, port }));
  const site = createSite(client, at(80), at(443));
  if (options.through === 'ingress') await site.start();
  else await makeNodePort(client, at(nodePort));
  const ready = async () => (await podsOf(lab, stackName)).filter(isReady);
  const allReady = () =>
    eventually(`${instances} ready instances`, async () => (await ready()).length === instances, 60_000);

  return {
    name: 'flotilla',
    http: at(options.through === 'ingress' ? 80 : nodePort),
    https: options.through === 'ingress' ? at(443) : [],
    host: siteHost,
    phases: {
      'rolling updates': () => deploy(++version),
      'scale-ups and -downs': async () => {
        await lab.flotilla(['scale', `${stackName}/web=${instances + 2}`]);
        await lab.flotilla(['scale', `${stackName}/web=${instances}`]);
      },
      drains: async (round) => {
        const host = hosts[round % hosts.length]!;
        await lab.flotilla(['node', 'drain', host, '--timeout', '60s'], { timeoutMs: 70_000 });
        await lab.flotilla(['node', 'undrain', host]);
        await allReady();
      },
      ...(options.through === 'ingress'
        ? {
            'certificate renewals': () => site.renewCertificate(),
            'new host names': (round: number) => site.addHost(`n${round}.lossless.test`),
            reloads: (round: number) => site.reload(round),
          }
        : {}),
      'agent restarts': (round) => restartAgent(lab, client, hosts[round % hosts.length]!),
      'server restarts': () => restartServer(lab, client),
      'label edits': async () => {
        const [pod] = await ready();
        await takeOutOfRotation(client, pod?.metadata.name ?? '');
        await eventually('another one in its place', async () => {
          const others = (await ready()).filter((one) => one.metadata.name !== pod?.metadata.name && isInService(one));
          return others.length === instances;
        });
        await client.delete(podKind, { namespace: stackName, name: pod?.metadata.name ?? '' });
      },
    },
    faults: {
      'kill -9 of an instance': async (strikes) => {
        await killInstance(lab, (await ready())[0], strikes);
        await allReady();
      },
      ...(options.through === 'ingress'
        ? { 'kill -9 of a proxy': (strikes: () => void) => killProxy(lab, at(80)[1]!, strikes) }
        : {}),
      'power-off of a host': async (strikes) => {
        strikes();
        await lab.change('off', 'h3');
        await eventually('instances elsewhere', async () => {
          return (await ready()).filter((pod) => pod.spec.nodeName !== 'h3').length === instances;
        });
        await lab.change('on', 'h3');
        await eventually('h3 to be ready', async () => (await readyNodes(client)).has('h3'), 60_000);
        await lab.flotilla(['node', 'undrain', 'h3']);
      },
    },
    down: async () => {
      client.close();
      await lab.down();
    },
  };
}

function stackFile(version: number, collector: string, { instances, onTerm }: WorldOptions): string {
  // In a stack file `$$` is a dollar sign.
  const command = appCommand().map((word) => word.replaceAll('$', '$$$$'));
  const web = {
    image,
    instances,
    command,
    environment: { COLLECTOR: collector, PORT: String(appPort), ON_TERM: onTerm, VERSION: String(version) },
    expose: [appPort],
    health_check: {
      protocol: 'http',
      port: appPort,
      uri: '/up',
      interval: '2s',
      timeout: '2s',
      retries: 2,
      initial_delay: 0,
    },
    stop_grace_period: '10s',
  };
  return JSON.stringify({ name: stackName, services: { web } });
}

/** Its label says another service: it goes on running, and gets no more requests. */
async function takeOutOfRotation(client: HttpClient, name: string): Promise<void> {
  const body = { metadata: { labels: { 'flotilla.dev/service': 'parked' } } };
  await client.patch(podKind, { namespace: stackName, name }, { type: 'merge', body });
}

function isInService(pod: PodView): boolean {
  return pod.metadata.labels?.['flotilla.dev/service'] === 'web';
}
