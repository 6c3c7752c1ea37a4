import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Deployment } from '../../resources/kinds.ts';
import { compileStack } from '../compile.ts';
import { parseStackFile } from '../parse.ts';
import { StackFileError } from './problems.ts';

function parse(yaml: string) {
  return parseStackFile({
    text: `services:\n  web:\n    image: nginx\n${yaml.replace(/^(?=.)/gm, '    ')}\nvolumes: {data: {}}\n`,
    fileName: 'flotilla.yml',
    directory: '/home/a/shop',
    environment: {},
    set: {},
    readFile: (path) => {
      throw Object.assign(new Error(`ENOENT: ${path}`), { code: 'ENOENT' });
    },
  });
}

function problems(yaml: string): string[] {
  try {
    parse(yaml);
    return [];
  } catch (error) {
    assert.ok(error instanceof StackFileError);
    return error.problems.map(
      (one) => `${one.at.line}:${one.at.column}: ${one.message}${one.hint ? ` (${one.hint})` : ''}`,
    );
  }
}

function deployment(yaml: string): Deployment {
  const { name, namespace, spec } = parse(yaml);
  const metadata = { name, namespace };
  const compiled = compileStack({ apiVersion: 'flotilla.dev/v1alpha1', kind: 'Stack', metadata, spec });
  const found = compiled.workloads.find((one) => one.kind.kind === 'Deployment');
  assert.ok(found);
  return found.object as Deployment;
}

const rolling = (maxSurge: number | string, maxUnavailable: number | string) => ({
  type: 'RollingUpdate',
  rollingUpdate: { maxSurge, maxUnavailable },
});
const volume = 'volumes: ["data:/data"]\n';

describe('how instances are replaced', () => {
  const strategies: [what: string, yaml: string, expected: unknown][] = [
    ['one more, none less, by default', '', rolling(1, 0)],
    ['Kontena: four of five stay healthy', 'deploy: {min_health: 0.8}', rolling(1, '20%')],
    ['never fewer than asked for', 'deploy: {min_health: 0.333}', rolling(1, '66%')],
    ['all may go', 'deploy: {min_health: 0}', rolling(1, '100%')],
    ['Compose: three at a time', 'deploy: {update_config: {parallelism: 3}}', rolling(3, 0)],
    ['Compose: all at a time', 'deploy: {update_config: {parallelism: 0}}', rolling('100%', 0)],
    ['Compose: stop first', 'deploy: {update_config: {parallelism: 2, order: stop-first}}', rolling(0, 2)],
    ['stop first, by share', 'deploy: {min_health: 0.5, update_config: {order: stop-first}}', rolling(0, '50%')],
    ['ours: two at a time', 'deploy: {update: {max_at_once: 2}}', rolling(2, 0)],
    ['a port of the host', 'ports: ["80:80"]', rolling(0, 1)],
    ['a port of the host, by share', 'ports: ["80:80"]\ndeploy: {min_health: 1}', rolling(0, 1)],
    ['a volume has one writer', volume, { type: 'Recreate' }],
  ];
  for (const [what, yaml, expected] of strategies) {
    test(what, () => assert.deepEqual(deployment(yaml).spec.strategy, expected));
  }

  test('times become fields where Kubernetes has one, and annotations where it has none', () => {
    const { metadata, spec } = deployment(
      'deploy: {deadline: 2m, update_config: {delay: 90s, monitor: 10, failure_action: rollback}, update: {window: "22:00-02:00", timezone: Europe/Helsinki}}',
    );
    assert.deepEqual([spec.progressDeadlineSeconds, spec.minReadySeconds], [120, 10]);
    const {
      'flotilla.dev/template-hash': hash,
      'flotilla.dev/applied-hash': _applied,
      ...own
    } = metadata.annotations ?? {};
    assert.deepEqual(own, {
      'flotilla.dev/auto-rollback': 'true',
      'flotilla.dev/update-window': '22:00-02:00',
      'flotilla.dev/update-timezone': 'Europe/Helsinki',
      'flotilla.dev/update-pause': '90s',
    });
    assert.ok(hash);
    assert.equal(deployment('deploy: {auto_rollback: true}').spec.progressDeadlineSeconds, 300);
    assert.equal(deployment('').spec.progressDeadlineSeconds, undefined);
  });

  test('checks become probes', () => {
    const probes = (yaml: string) => {
      const { readinessProbe, livenessProbe, startupProbe } = deployment(yaml).spec.template.spec?.containers[0] ?? {};
      return { readinessProbe, livenessProbe, startupProbe };
    };
    const tcpSocket = { port: 8080 };
    assert.deepEqual(probes('deploy: {wait_for_port: 8080}'), {
      startupProbe: { tcpSocket, periodSeconds: 1, timeoutSeconds: 1, failureThreshold: 300 },
      readinessProbe: { tcpSocket, periodSeconds: 10, timeoutSeconds: 1, failureThreshold: 1 },
      livenessProbe: undefined,
    });
    const common = { httpGet: { path: '/up', port: 8080 }, periodSeconds: 2, timeoutSeconds: 2, successThreshold: 1 };
    assert.deepEqual(probes('health_check: {protocol: http, port: 8080, uri: /up, interval: 2s}'), {
      readinessProbe: { ...common, failureThreshold: 1 },
      livenessProbe: { ...common, failureThreshold: 3, initialDelaySeconds: 10 },
      startupProbe: undefined,
    });
    const both = probes(
      'deploy: {wait_for_port: 9000}\nhealth_check: {protocol: tcp, port: 8080, interval: 20, retries: 1}',
    );
    assert.deepEqual(both.startupProbe?.tcpSocket, { port: 9000 });
    assert.deepEqual(both.readinessProbe?.tcpSocket, tcpSocket);
    assert.deepEqual([both.livenessProbe?.periodSeconds, both.livenessProbe?.failureThreshold], [20, 1]);
  });

  const wrong: [yaml: string, problem: RegExp][] = [
    ['deploy: {min_healht: 1}', /^4:14: unknown key "min_healht" .*did you mean "min_health"\?/],
    [
      'deploy: {min_health: 1.5}',
      /^4:26: "min_health" in "deploy" of service "web" must be a number from 0 to 1, not "1.5"/,
    ],
    ['deploy: {wait_for_port: http}', /"wait_for_port" .* must be an integer/],
    ['deploy: {wait_for_port: 70000}', /must be from 1 to 65535, not 70000/],
    ['deploy: {update_config: {ordr: stop-first}}', /unknown key "ordr" in "update_config".*did you mean "order"\?/],
    [
      'deploy: {update_config: {order: start_first}}',
      /must be one of start-first, stop-first.*did you mean "start-first"\?/,
    ],
    [
      'deploy: {update_config: {failure_action: continue}}',
      /"failure_action: continue" .* is not supported \(an instance that serves/,
    ],
    [
      'deploy: {update_config: {max_failure_ratio: 0.3}}',
      /"max_failure_ratio: 0.3" in "update_config" .* is not supported/,
    ],
    [
      'deploy: {auto_rollback: false, update_config: {failure_action: rollback}}',
      /"update_config.failure_action" and "auto_rollback" .* say the same \(keep one/,
    ],
    [
      'deploy: {update: {max_at_once: 2}, update_config: {parallelism: 2}}',
      /"update_config.parallelism" and "update.max_at_once" .* say the same/,
    ],
    [
      'deploy: {min_health: 0.5, update: {max_at_once: 2}, update_config: {order: stop-first}}',
      /"min_health" and "update.max_at_once" .* both say how many/,
    ],
    ['deploy: {min_health: 1, update_config: {order: stop-first}}', /contradict each other/],
    [
      'deploy: {update: {window: "2-4"}}',
      /"window" in "update" .* must be two times of a day such as 02:00-04:00, not "2-4"/,
    ],
    [
      'deploy: {update: {window: "02:00-04:00", timezone: Europe/Helsinky}}',
      /"timezone" .* must be a time zone such as Europe\/Helsinki/,
    ],
    ['deploy: {update: {timezone: UTC}}', /"timezone" in "update" .* has no "window"/],
    ['deploy: {update: blue-green}', /"update: blue-green" .* is not supported/],
    ['deploy: {update: {pause: 25h}}', /"pause" .* must be at most a day/],
    ['deploy: {deadline: 5s, update_config: {monitor: 5s}}', /"monitor" .* is not shorter than the deadline of 5s/],
    ['deploy: {strategy: daemon}', /"daemon" .* is not supported/],
    ['deploy: {interval: 7d}', /"interval" .* is not supported/],
    [`${volume}deploy: {update_config: {order: start-first}}`, /is impossible: volume "data" has one writer/],
    ['ports: ["80:80"]\ndeploy: {update_config: {order: start-first}}', /cannot both have port 80/],
    ['health_check: {port: 80}', /"health_check" of service "web" has no "protocol"/],
    ['health_check: {protocol: udp, port: 80}', /must be one of http, tcp/],
    ['health_check: {protocol: tcp, port: 80, uri: /}', /"uri" .* has no meaning with "protocol: tcp"/],
    ['health_check: {protocol: http, port: 80, uri: up}', /must be a path such as \/health, not "up"/],
    [
      'health_check: {protocol: http, port: 80, interval: 2, timeout: 3}',
      /"timeout" .* is longer than its "interval" of 2s/,
    ],
    [
      'healthcheck: {test: "true"}\nhealth_check: {protocol: tcp, port: 80}',
      /"healthcheck" and "health_check" .* two checks of the same/,
    ],
  ];
  for (const [yaml, problem] of wrong) {
    test(`refused: ${yaml.split('\n').at(-1)}`, () => {
      const found = problems(yaml);
      assert.equal(found.length, 1, found.join('\n'));
      assert.match(found[0] ?? '', problem);
    });
  }

  test('what has no effect is said', () => {
    const said = (yaml: string) => parse(yaml).warnings;
    assert.match(said('deploy: {rollback_config: {parallelism: 0}}')[0] ?? '', /no effect where it differs/);
    assert.deepEqual(said('deploy: {update_config: {parallelism: 2}, rollback_config: {parallelism: 2}}'), []);
    assert.match(said(`${volume}deploy: {min_health: 0.5}`)[0] ?? '', /"min_health" of service "web" has no effect/);
    assert.match(said('restart: "no"\ndeploy: {auto_rollback: true}')[0] ?? '', /it runs once/);
    assert.match(said('deploy: {strategy: random}')[0] ?? '', /is done as "ha"/);
    assert.deepEqual(said('deploy: {strategy: ha, update: rolling}'), []);
  });
});
