// Runs as a service of a machine that systemd has booted, see systemd.test.ts: starts DNS as an agent does, and ends as one that
// is killed.
import { startDnsProcess } from '../../src/adapters/dns/process/process-client.ts';
import { silentLogger } from '../../src/lib/log.ts';

const client = await startDnsProcess({
  dataDirectory: '/root',
  settings: { domain: 'cluster.local', upstreams: [] },
  addresses: [{ address: '127.0.0.1', port: 5353 }],
  log: silentLogger,
});
await client.apply({ names: new Map([['web.shop.svc', { addresses: ['10.80.0.2'] }]]) });
process.kill(process.pid, 'SIGKILL');
