// Runs inside a network and mount namespace of its own, see dns-clients.test.ts: DNS as on a node, asked by the resolvers that
// containers have. Prints one JSON object: name → what `getent` and busybox made of it.
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { startDnsServer } from '../../src/adapters/dns/server.ts';
import { renderResolvConf } from '../../src/agent/network/resolv-conf.ts';
import { silentLogger } from '../../src/lib/log.ts';

const run = promisify(execFile);
const [resolvConf = '', ...names] = process.argv.slice(2);
const domain = 'cluster.local';

const outside = await startDnsServer({
  addresses: [{ address: '10.80.0.2', port: 53 }],
  domain: 'example.org',
  upstreams: [],
  log: silentLogger,
});
await outside.apply({ names: new Map([['www', { addresses: ['192.0.2.1'] }]]) });
const node = await startDnsServer({
  addresses: [{ address: '10.80.0.1', port: 53 }],
  domain,
  gridDomain: 'main.flotilla.local',
  podRange: '10.80.0.0/12',
  upstreams: ['10.80.0.2'],
  log: silentLogger,
});
const many = Array.from({ length: 200 }, (_, at) => `10.81.0.${at + 1}`);
await node.apply({
  names: new Map([
    [
      'db.shop.svc',
      {
        addresses: ['10.80.0.7'],
        isHeadless: true,
        hostnames: { '10.80.0.7': 'db-0' },
        aliases: ['database.shop.svc'],
      },
    ],
    ['web.other.svc', { addresses: ['10.96.0.5'] }],
    ['w.other.svc', { addresses: ['10.80.0.8'], isHeadless: true, hostnames: { '10.80.0.8': 'w-0' } }],
    ['many.shop.svc', { addresses: many, isHeadless: true }],
    ['out.shop.svc', { addresses: [], externalName: 'www.example.org' }],
  ]),
});
await writeFile(resolvConf, renderResolvConf({ nameserver: '10.80.0.1', namespace: 'shop', domain }));

const found: Record<string, { readonly glibc: readonly string[]; readonly busybox: boolean }> = {};
for (const name of names) {
  const reverse = /^[\d.]+$/.test(name);
  const glibc = await run('getent', reverse ? ['hosts', name] : ['ahostsv4', name]).then(
    ({ stdout }) => stdout.trim().split('\n'),
    () => [],
  );
  const words = glibc.map((line) => line.split(/\s+/)[reverse ? 1 : 0] ?? '');
  const busybox = await run('busybox', ['nslookup', name, '10.80.0.1']).then(
    () => true,
    () => false,
  );
  found[name] = { glibc: [...new Set(words)], busybox };
}
console.log(JSON.stringify({ found }));
process.exit(0);
