// What HAProxy and ss print, read.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createFrameReader, parseAccessEntry } from './access-log.ts';
import { connectionsFor, openFilesLimit } from './environment.ts';
import { parseCrtList, parseMap, parseServers } from './observe-worker.ts';
import { parseListening, takenPorts } from './port-holders.ts';
import { reasons } from './process.ts';
import { parseProcesses } from './runtime-client.ts';
import { parseWorkerStats } from './statistics.ts';
import { lacks, parseVersion } from './version.ts';

test('processes: the worker, those before it, and what failed', () => {
  const rows = [
    '#<PID>          <type>          <reloads>       <uptime>        <version>      ',
    '31868           master          4 [failed: 1]   0d00h01m29s     2.6.12-1+deb12u4',
    '# workers',
    '13113           worker          0               0d00h00m01s     2.6.12-1+deb12u4',
    '# old workers',
    '9934            worker          1               0d00h00m19s     2.6.12-1+deb12u4',
    '9000            worker          2               0d00h00m59s     2.6.12-1+deb12u4',
    '# programs',
    '',
  ];
  assert.deepEqual(parseProcesses(rows.join('\n')), {
    master: 31868,
    worker: 13113,
    oldWorkers: [9934, 9000],
    reloads: 4,
    failedReloads: 1,
  });
  const gone = rows.filter((row) => !row.startsWith('13113')).join('\n');
  assert.equal(parseProcesses(gone)?.worker, undefined);
  assert.equal(parseProcesses('Unknown command'), undefined);
});

test('servers, maps and certificates that a worker has in force', () => {
  const servers = parseServers(
    '1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state\n' +
      '4 spare-1 2 10.0.0.1:80 10.0.0.1 2 0 1 1\n4 spare-1 3 10.0.0.2:80 10.0.0.2 0 1 1 1\n',
  );
  assert.deepEqual(
    [...(servers.get('spare-1') ?? [])],
    [
      ['10.0.0.1:80', { id: 2, isLeaving: false }],
      ['10.0.0.2:80', { id: 3, isLeaving: true }],
    ],
  );
  assert.deepEqual(
    [...parseMap('0x55f433713fd0 a.test/ web|R|\n0x7fc7a4040740 b.test/we;ird x|-|60\n')],
    [
      ['a.test/', 'web|R|'],
      ['b.test/we;ird', 'x|-|60'],
    ],
  );
  assert.deepEqual(
    [...parseCrtList('# crt.list\ndefault.pem\n../certs/two.pem two.test *.two.test\n')],
    [['../certs/two.pem', 'two.test *.two.test']],
  );
});

test('versions', () => {
  const version = parseVersion(
    'HAProxy version 2.6.12-1+deb12u4 2026/10/17 - https://haproxy.org/\nFeature list : -ENGINE +OPENSSL +CRYPT_H\n',
  );
  assert.equal(version?.text, '2.6.12-1+deb12u4');
  assert(version && lacks(version) === undefined);
  assert.match(lacks({ text: '2.5.14', features: new Set() }) ?? '', /2\.5\.14; 2\.6 or later/);
  assert.match(lacks({ text: '3.0.2', features: new Set(['OPENSSL']) }) ?? '', /without CRYPT_H/);
  assert.equal(lacks({ text: '10.0', features: new Set(['OPENSSL', 'CRYPT_H']) }), undefined);
  assert.equal(parseVersion('HA-Proxy version 1.8.8'), undefined);
});

test('who listens on a port: others are named, ours are not meant', () => {
  const listening = parseListening(
    [
      'LISTEN 0 511  0.0.0.0:80 0.0.0.0:* users:(("nginx",pid=12,fd=6),("nginx",pid=13,fd=6))',
      'LISTEN 0 511 127.0.0.1:9000 0.0.0.0:*',
      'LISTEN 0 511 [::]:443 [::]:* users:(("haproxy",pid=7,fd=5))',
      'LISTEN 0 511 127.0.0.53%lo:53 0.0.0.0:* users:(("systemd-resolve",pid=3,fd=5))',
    ].join('\n'),
  );
  const of = (ports: readonly number[], ...addresses: string[]) =>
    Object.fromEntries(takenPorts(listening, { ports, addresses, ours: new Set([7]) }));
  assert.match(of([80], '*')[80] ?? '', /nginx \(process 12\), nginx \(process 13\), which listens on 0\.0\.0\.0:80/);
  assert.deepEqual(of([443], '*', '::'), {});
  assert.match(of([9000], '*')[9000] ?? '', /a process of another user/);
  assert.deepEqual(of([9000], '192.0.2.1'), {});
  assert.deepEqual(of([9000], '::'), {});
  assert.match(of([53], '127.0.0.53')[53] ?? '', /systemd-resolve/);
});

test('errors of a configuration, without what is around them', () => {
  const printed =
    "[NOTICE]   (1) : haproxy version is 2.6\n[ALERT]    (1) : config : parsing [haproxy.cfg:62] : unknown keyword 'x'\n[ALERT]    (1) : config : Error(s) found in configuration file : haproxy.cfg\n[ALERT]    (1) : config : Fatal errors found in configuration.\n";
  assert.deepEqual(reasons(printed), ["config : parsing [haproxy.cfg:62] : unknown keyword 'x'"]);
});

test('connections that fit into the limit of open files', () => {
  const limits =
    'Limit                     Soft Limit           Hard Limit           Units\nMax open files            1024                 20000                files\n';
  assert.equal(openFilesLimit(limits), 20_000);
  assert.equal(connectionsFor(20_000), 7_500);
  assert.equal(connectionsFor(1_048_576), 521_288);
  assert.equal(connectionsFor(100), 100);
});

test('the access log: lines in frames, whatever pieces they come in', () => {
  const lines = ['{"kind":"http"}', 'Server x is DOWN', 'é'];
  const bytes = Buffer.concat(lines.map((line) => Buffer.from(`${Buffer.byteLength(line)} ${line}`)));
  for (let size = 1; size < bytes.length; size++) {
    const read: string[] = [];
    const take = createFrameReader((line) => void read.push(line));
    for (let at = 0; at < bytes.length; at += size) assert(take(bytes.subarray(at, at + size)));
    assert.deepEqual(read, lines);
  }
  assert.equal(createFrameReader(() => {})(Buffer.from('nonsense without a length')), false);
  assert.equal(createFrameReader(() => {})(Buffer.from('99999999 x')), false);
});

test('the access log: what was not reached is absent', () => {
  const names = {
    sections: new Map([['s', { backend: 'shop/web:80', serverWords: [], mode: 'http' as const }]]),
    pods: new Map([['10.0.0.1:80', 'shop/web-1']]),
  };
  const line =
    '{"time":1795283062088,"kind":"http","client":"1.2.3.4","host":"","site":"-","method":"GET","path":"\\/x","protocol":"HTTP/1.1","status":503,"received":1,"sent":2,"requestMs":0,"queueMs":-1,"connectMs":-1,"responseMs":-1,"totalMs":3,"section":"s","server":"<NOSRV>","retries":"+3","tls":"-","end":"SC--"}';
  assert.deepEqual(parseAccessEntry(line, names), {
    kind: 'http',
    timeMs: 1_795_283_062_088,
    client: '1.2.3.4',
    receivedBytes: 1,
    sentBytes: 2,
    totalMs: 3,
    retries: 3,
    end: 'SC--',
    routeHost: '*',
    method: 'GET',
    path: '/x',
    protocol: 'HTTP/1.1',
    status: 503,
    requestMs: 0,
    backend: 'shop/web:80',
  });
  assert.equal(parseAccessEntry(line.replace('<NOSRV>', '10.0.0.1:80'), names)?.pod, 'shop/web-1');
  assert.equal(parseAccessEntry('Server x is DOWN', names), undefined);
  assert.equal(parseAccessEntry('{"kind":', names), undefined);
});

test('statistics of a worker', () => {
  const stat = [
    '# pxname,svname,scur,stot,status,hrsp_5xx,req_tot,wretr,ctime,rtime,last_chk,mode,econ,',
    'http,FRONTEND,1,5,OPEN,0,9,,,,,http,,',
    's,10.0.0.1:80,0,4,DOWN,1,4,0,1,2,"Connection refused, or so",http,0,',
    's,BACKEND,0,5,UP,2,5,3,1,2,,http,0,',
  ].join('\n');
  const table =
    '# table: hosts, type: string, size:20480, used:1\n0x7f: key=web.test use=0 exp=0 shard=0 http_req_cnt=9 http_fail_cnt=2\n';
  const read = parseWorkerStats(stat, table, 'CurrConns: 7\n');
  assert.deepEqual(read.counts.get('s'), { sessions: 5, requests: 5, errors: 2, retries: 3 });
  assert.deepEqual(read.counts.get('host web.test'), { sessions: 0, requests: 9, errors: 2, retries: 0 });
  assert.deepEqual(read.states.get('s/10.0.0.1:80'), { state: 'down', why: 'Connection refused, or so' });
  assert.equal(read.connections, 7);
});
