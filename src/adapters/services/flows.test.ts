import assert from 'node:assert/strict';
import { test } from 'node:test';
import { flowProtocols, parseFlows, planFlush } from './flows.ts';

const listing = `udp      17 29 src=10.80.1.10 dst=10.96.0.10 sport=5301 dport=53 src=10.80.1.11 dst=10.80.1.10 sport=8080 dport=5301 [ASSURED] mark=0 use=1
udp      17 29 src=10.80.1.10 dst=10.96.0.10 sport=5302 dport=53 src=10.80.2.10 dst=10.80.1.10 sport=8080 dport=5302 mark=0 use=1
udp      17 2 src=10.99.0.9 dst=203.0.113.5 sport=5303 dport=53 [UNREPLIED] src=203.0.113.5 dst=10.99.0.9 sport=53 dport=5303 mark=0 use=1
udp      17 2 src=10.99.0.9 dst=10.99.0.1 sport=5304 dport=30053 src=10.80.2.10 dst=10.80.1.1 sport=8080 dport=5304 mark=0 use=1
udp      17 2 src=10.80.1.10 dst=10.96.0.12 sport=5305 dport=99 src=10.80.2.12 dst=10.80.1.10 sport=99 dport=5305 mark=0 use=1
icmp     1 29 src=10.80.1.10 dst=10.96.0.12 type=8 code=0 id=22 src=10.80.2.12 dst=10.80.1.10 type=0 code=0 id=22 mark=0 use=1
conntrack v1.4.7 (conntrack-tools): 6 flow entries have been shown.
`;

test('flows that somebody else answers are forgotten, once for all of a kind, and no others', () => {
  const flows = parseFlows(listing);
  assert.equal(flows.length, 6);
  const flush = (address: string | undefined, port: number | undefined, ...endpoints: string[]) =>
    planFlush(
      [{ ...(address ? { address } : {}), ...(port ? { port } : {}), endpoints: new Set(endpoints) }],
      flows,
    ).map((args) => args.filter((_, index) => index % 2 === 1).join(' '));
  assert.deepEqual(flush('10.96.0.10', 53, '10.80.2.10 . 8080'), ['10.96.0.10 10.80.1.11 53 8080']);
  assert.deepEqual(flush('10.96.0.10', 53, '10.80.2.10 . 8080', '10.80.1.11 . 8080'), []);
  assert.deepEqual(flush('10.96.0.10', 53, '10.80.2.10 . 9090', '10.80.1.11 . 8080'), [
    '10.96.0.10 10.80.2.10 53 8080',
  ]);
  assert.deepEqual(flush('203.0.113.5', 53, '10.80.2.10 . 8080'), ['203.0.113.5 203.0.113.5 53 53']);
  assert.deepEqual(flush(undefined, 30_053), ['10.99.0.1 10.80.2.10 30053 8080']);
  assert.deepEqual(flush('10.96.0.12', undefined, '10.80.2.12'), []);
  assert.deepEqual(flush('10.96.0.12', undefined, '10.80.2.13'), [
    '10.96.0.12 10.80.2.12 99 99',
    '10.96.0.12 10.80.2.12',
  ]);
});

test('protocols to look at', () => {
  const endpoints = new Set<string>();
  assert.deepEqual(flowProtocols([]), []);
  assert.deepEqual(flowProtocols([{ port: 53, endpoints }]), ['udp']);
  assert.deepEqual(
    flowProtocols([
      { port: 53, endpoints },
      { address: '10.96.0.12', endpoints },
    ]),
    ['udp', 'icmp'],
  );
});

test('thousands of clients of one service are one command', () => {
  const line = (port: number) =>
    `udp 17 29 src=10.80.1.10 dst=10.96.0.10 sport=${port} dport=53 src=10.80.1.11 dst=10.80.1.10 sport=8080 dport=${port} use=1`;
  const flows = parseFlows(Array.from({ length: 3_000 }, (_, index) => line(1_024 + index)).join('\n'));
  assert.equal(planFlush([{ address: '10.96.0.10', port: 53, endpoints: new Set() }], flows).length, 1);
});
