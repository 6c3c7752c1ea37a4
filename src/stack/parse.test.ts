// biome-ignore-all lint/suspicious/noTemplateCurlyInString: Compose writes its variables like that
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { FlotillaError } from '../lib/errors.ts';
import type { StackService } from '../resources/stack-types.ts';
import type { ParseStackOptions } from './parse.ts';
import { parseStackFile } from './parse.ts';

function missing(path: string): never {
  throw Object.assign(new Error(`ENOENT: ${path}`), { code: 'ENOENT' });
}

interface World {
  readonly files?: Record<string, string>;
  readonly environment?: Record<string, string>;
  readonly set?: Record<string, string>;
  readonly projectName?: string;
}

function parse(text: string, world: World = {}) {
  const options: ParseStackOptions = {
    text,
    fileName: 'compose.yaml',
    directory: '/home/a/shop',
    environment: { HOME: '/home/a', ...world.environment },
    set: world.set ?? {},
    projectName: world.projectName,
    readFile: (path) => Buffer.from(world.files?.[path] ?? missing(path)),
  };
  return parseStackFile(options);
}

/** The service of a file that holds nothing else; `rest` stands below `services`. */
function service(yaml: string, world: World = {}, rest = ''): StackService {
  const indented = yaml.replace(/^(?=.)/gm, '    ');
  const spec = parse(`services:\n  web:\n    image: nginx\n${indented}\n${rest}`, world).spec;
  assert.ok(spec.services.web);
  return spec.services.web;
}

/** The problems of a file, a line each. */
function problems(text: string, world: World = {}): string[] {
  try {
    parse(text, world);
  } catch (error) {
    assert.ok(error instanceof FlotillaError && error.code === 'BadFile', String(error));
    const lines = error.message.split('\n');
    return lines.length === 1
      ? [`${error.message}${error.hint ? ` (${error.hint})` : ''}`]
      : lines.slice(1).map((line) => line.trim());
  }
  return [];
}

const base: StackService = { image: 'nginx', instances: 1 };

describe('a service', () => {
  const tables: [what: string, yaml: string, expected: Partial<StackService>, rest?: string][] = [
    ['nothing but an image', '', {}],
    ['command as a string', `command: nginx -g 'daemon off;'`, { command: ['nginx', '-g', 'daemon off;'] }],
    ['command as a list', 'command: [a, "b c"]', { command: ['a', 'b c'] }],
    ['empty command', 'command: []', { command: [] }],
    ['entrypoint', 'entrypoint: /run "x y"', { entrypoint: ['/run', 'x y'] }],
    [
      'environment as a map',
      'environment: {A: 1.10, B: true, C: "x", D: 0x10}',
      { environment: { A: '1.10', B: 'true', C: 'x', D: '0x10' } },
    ],
    ['environment as a list', 'environment: [A=1, B=x=y, UNSET]', { environment: { A: '1', B: 'x=y' } }],
    [
      'ports, short',
      'ports: [80, "8080:80", "127.0.0.1:53:53/udp"]',
      {
        ports: [
          { containerPort: 80, protocol: 'TCP' },
          { containerPort: 80, hostPort: 8080, protocol: 'TCP' },
          { containerPort: 53, hostPort: 53, hostIP: '127.0.0.1', protocol: 'UDP' },
        ],
      },
    ],
    [
      'ports, ranges',
      'ports: ["3000-3001", "9000-9001:80-81", "[::1]:1:2", "127.0.0.1::9"]',
      {
        ports: [
          { containerPort: 3000, protocol: 'TCP' },
          { containerPort: 3001, protocol: 'TCP' },
          { containerPort: 80, hostPort: 9000, protocol: 'TCP' },
          { containerPort: 81, hostPort: 9001, protocol: 'TCP' },
          { containerPort: 2, hostPort: 1, hostIP: '::1', protocol: 'TCP' },
          { containerPort: 9, hostIP: '127.0.0.1', protocol: 'TCP' },
        ],
      },
    ],
    [
      'ports, long',
      'ports: [{target: 80, published: "8080", host_ip: 10.0.0.1, protocol: udp, mode: host}]',
      {
        ports: [{ containerPort: 80, hostPort: 8080, hostIP: '10.0.0.1', protocol: 'UDP' }],
      },
    ],
    [
      'expose',
      'expose: ["3000", 4000, "53/udp", 5000-5001]',
      {
        expose: [
          { port: 3000, protocol: 'TCP' },
          { port: 4000, protocol: 'TCP' },
          { port: 53, protocol: 'UDP' },
          { port: 5000, protocol: 'TCP' },
          { port: 5001, protocol: 'TCP' },
        ],
      },
    ],
    ['expose, one', 'expose: 8080', { expose: [{ port: 8080, protocol: 'TCP' }] }],
    [
      'volumes, short',
      'volumes: ["data:/var/lib/x/", ./conf:/etc/conf:ro, ../up:/up, ~/h:/h, /abs:/abs:rw]',
      {
        mounts: [
          { type: 'volume', source: 'data', target: '/var/lib/x' },
          { type: 'bind', source: '/home/a/shop/conf', target: '/etc/conf', readOnly: true },
          { type: 'bind', source: '/home/a/up', target: '/up' },
          { type: 'bind', source: '/home/a/h', target: '/h' },
          { type: 'bind', source: '/abs', target: '/abs' },
        ],
      },
      'volumes: {data: }',
    ],
    [
      'volumes, long',
      'volumes:\n- {type: volume, source: data, target: /d, read_only: true}\n- {type: bind, source: ./x, target: /x, bind: {create_host_path: true}}\n- {type: tmpfs, target: /t, tmpfs: {size: 64m}}\n- {type: tmpfs, target: /u}',
      {
        mounts: [
          { type: 'volume', source: 'data', target: '/d', readOnly: true },
          { type: 'bind', source: '/home/a/shop/x', target: '/x' },
          { type: 'tmpfs', target: '/t', sizeBytes: 67_108_864 },
          { type: 'tmpfs', target: '/u' },
        ],
      },
      'volumes: {data: }',
    ],
    [
      'tmpfs',
      'tmpfs: [/run, "/tmp:size=1g"]',
      {
        mounts: [
          { type: 'tmpfs', target: '/run' },
          { type: 'tmpfs', target: '/tmp', sizeBytes: 1_073_741_824 },
        ],
      },
    ],
    ['instances', 'instances: 3', { instances: 3 }],
    ['failover', 'failover: {after: 90s}', { failover: { after: '1m30s' } }],
    ['replaced when unhealthy', 'deploy: {replace_unhealthy_after: 120s}', { replaceUnhealthyAfter: '2m' }],
    ['failover never', 'failover: {after: never}', { failover: { after: 'never' } }],
    ['replicas', 'deploy: {replicas: 0, mode: replicated}', { instances: 0 }],
    ['one address', 'deploy: {endpoint_mode: vip}', { endpointMode: 'vip' }],
    ['many addresses', 'deploy: {endpoint_mode: dnsrr}', { endpointMode: 'dnsrr' }],
    [
      'resources',
      'deploy: {resources: {limits: {cpus: "0.5", memory: 512M}, reservations: {cpus: 0.25, memory: 64m}}}',
      {
        resources: {
          limits: { cpuMillis: 500, memoryBytes: 536_870_912 },
          reservations: { cpuMillis: 250, memoryBytes: 67_108_864 },
        },
      },
    ],
    [
      'healthcheck with a shell',
      'healthcheck: {test: curl -f localhost, interval: 1m30s, timeout: 5s, retries: 5, start_period: 10s}',
      {
        healthcheck: {
          exec: ['/bin/sh', '-c', 'curl -f localhost'],
          intervalSeconds: 90,
          timeoutSeconds: 5,
          retries: 5,
          startPeriodSeconds: 10,
        },
      },
    ],
    [
      'healthcheck CMD-SHELL, defaults',
      'healthcheck: {test: ["CMD-SHELL", "pg_isready -U x"]}',
      {
        healthcheck: {
          exec: ['/bin/sh', '-c', 'pg_isready -U x'],
          intervalSeconds: 30,
          timeoutSeconds: 30,
          retries: 3,
          startPeriodSeconds: 0,
        },
      },
    ],
    [
      'healthcheck CMD',
      'healthcheck: {test: ["CMD", "pg_isready"], interval: 500ms}',
      {
        healthcheck: {
          exec: ['pg_isready'],
          intervalSeconds: 1,
          timeoutSeconds: 30,
          retries: 3,
          startPeriodSeconds: 0,
        },
      },
    ],
    ['healthcheck NONE', 'healthcheck: {test: ["NONE"]}', {}],
    ['healthcheck disabled', 'healthcheck: {disable: true}', {}],
    ['restart: no', 'restart: no', { restart: 'no' }],
    ['restart: unless-stopped', 'restart: unless-stopped', { restart: 'always' }],
    ['restart: on-failure', 'restart: on-failure:3', { restart: 'on-failure' }],
    ['labels', 'labels: {a.b: 1, c: }', { labels: { 'a.b': '1', c: '' } }],
    ['labels as a list', 'labels: [a=b=c, d]', { labels: { a: 'b=c', d: '' } }],
    ['user and directory', 'user: 1000\nworking_dir: /app', { user: '1000', workingDir: '/app' }],
    ['networks', 'networks: [default]', {}],
    ['networks as a map', 'networks: {default: }', {}],
    ['aliases', 'networks: {default: {aliases: [Front, a.b_c]}}', { aliases: ['front', 'a.b_c'] }],
    ['stop_grace_period', 'stop_grace_period: 1m', { stopGracePeriodSeconds: 60 }],
    [
      'secrets and configs',
      'secrets: [pw, {source: pw, target: other, mode: 0440}]\nconfigs: [{source: c, target: /etc/c}, c]',
      {
        mounts: [
          { type: 'secret', source: 'pw', target: '/run/secrets/pw' },
          { type: 'secret', source: 'pw', target: '/run/secrets/other', mode: 0o440 },
          { type: 'config', source: 'c', target: '/etc/c' },
          { type: 'config', source: 'c', target: '/c' },
        ],
      },
      'secrets: {pw: {environment: HOME}}\nconfigs: {c: {content: x}}',
    ],
    ['its own x- keys', 'x-note: {a: 1}', {}],
  ];
  for (const [what, yaml, expected, rest] of tables) {
    test(what, () => assert.deepEqual(service(yaml, {}, rest), { ...base, ...expected }));
  }

  test('waits for others', () => {
    const { spec, warnings } = parse(`
services:
  web: {image: a, depends_on: {db: {condition: service_healthy}, init: {condition: service_completed_successfully, required: true, restart: false}}}
  api: {image: a, depends_on: [db]}
  db: {image: pg, healthcheck: {test: x}}
  init: {image: b}
`);
    assert.deepEqual(spec.services.web?.dependsOn, {
      db: { condition: 'service_healthy' },
      init: { condition: 'service_completed_successfully' },
    });
    assert.deepEqual(spec.services.api?.dependsOn, { db: { condition: 'service_started' } });
    assert.equal(spec.services.init?.restart, 'no');
    assert.match(warnings.join(), /service "init" runs once, because "web" waits for its end/);
  });

  test('links name the other service anew, and wait for it', () => {
    const text =
      'services: {web: {image: a, links: ["db:database", db]}, job: {image: a, links: [db:Old]}, db: {image: b}}';
    const { spec } = parse(text);
    assert.deepEqual(spec.services.db?.aliases, ['database', 'old']);
    assert.deepEqual(spec.services.web?.dependsOn, { db: { condition: 'service_started' } });
    assert.equal(spec.services.web?.aliases, undefined);
  });
});

describe('values from outside', () => {
  const files = {
    '/home/a/shop/.env': 'TAG=1.2\nDB_PASSWORD="from dotenv"\n',
    '/home/a/shop/web.env': '# comment\nexport A=1\nB="x\\ny"\nC=\'lit $TAG\'\nD=v${TAG} # tail\nHOME\n',
    '/home/a/shop/more.env': 'A=2\n',
    '/home/a/shop/pw.txt': 'geheim',
  };

  test('env files are secret, later ones win, environment wins over them', () => {
    const found = service(
      'env_file: [web.env, {path: more.env}, {path: nope.env, required: false}]\nenvironment: {B: own}',
      { files },
    );
    assert.deepEqual(found.environment, { B: 'own' });
    assert.deepEqual(found.secretEnvironment, { A: '2', C: 'lit $TAG', D: 'v1.2', HOME: '/home/a' });
  });

  test('variables: environment, then .env; what they fill is secret, a default in the file is not', () => {
    const yaml = 'environment: {P: "x${DB_PASSWORD}", Q: "${NOPE:-dflt}", R: "$$5", S: }';
    const found = service(yaml, { files, environment: { S: 'from user', TAG: 'user' } }, 'x-a: ${TAG}');
    assert.deepEqual(found.environment, { Q: 'dflt', R: '$5' });
    assert.deepEqual(found.secretEnvironment, { P: 'xfrom dotenv', S: 'from user' });
    assert.equal(parse('services: {web: {image: "nginx:${TAG}"}}', { files }).spec.services.web?.image, 'nginx:1.2');
    assert.equal(
      parse('services: {web: {image: "nginx:${TAG}"}}', { files, environment: { TAG: '9' } }).spec.services.web?.image,
      'nginx:9',
    );
  });

  test('declared variables, --set and types', () => {
    const text = `
variables:
  n: {type: integer, default: 2}
  size: {type: enum, options: [small, large], default: small}
  pw: {required: true}
  opt: {required: false}
services:
  web: {image: "a:\${size}", instances: "\${n}", environment: {PW: "\${pw}", O: "\${opt}"}}
`;
    const found = parse(text, { set: { pw: 's3', n: '4' } }).spec.services.web;
    assert.deepEqual(found, { image: 'a:small', instances: 4, secretEnvironment: { PW: 's3', O: '' } });
    assert.deepEqual(problems(text), [
      'compose.yaml:5:3: variable "pw" has no value (give --set pw=…, put it into .env, or write a default)',
    ]);
    assert.match(
      problems(text, { set: { pw: 'x', n: 'vier' } })[0] ?? '',
      /5?:3: the value given for variable "n" must be an integer/,
    );
    assert.match(problems(text, { set: { pw: 'x', size: 'huge' } })[0] ?? '', /must be one of small, large/);
    assert.match(
      problems(text, { set: { pw: 'x', sizee: 'x' } })[0] ?? '',
      /--set sizee: there is no such variable \(did you mean "size"\?\)/,
    );
  });

  test('interpolated values keep their type where one is wanted', () => {
    const world = { environment: { N: '3', OFF: 'true', P: '8080' } };
    const found = service('deploy: {replicas: "${N}"}\nhealthcheck: {disable: "${OFF}"}\nports: ["${P}:80"]', world);
    assert.equal(found.instances, 3);
    assert.equal(found.ports?.[0]?.hostPort, 8080);
    assert.match(problems('services: {web: {image: a, instances: "3"}}')[0] ?? '', /must be an integer, not "3"/);
  });

  test('secrets and configs come from files, the environment, or the file itself', () => {
    const { spec } = parse(
      'services: {a: {image: a}}\nsecrets: {pw: {file: ./pw.txt}, e: {environment: E}}\nconfigs: {c: {content: "x${E}"}}',
      { files, environment: { E: 'v' } },
    );
    const text = (data = '') => Buffer.from(data, 'base64').toString();
    assert.deepEqual(
      [text(spec.secrets?.pw?.data), text(spec.secrets?.e?.data), text(spec.configs?.c?.data)],
      ['geheim', 'v', 'xv'],
    );
  });

  test('anchors and merge keys', () => {
    const { spec } = parse(`
x-base: &base {image: a, environment: &env {A: "1", B: "2"}}
x-more: &more {restart: always, image: other}
services:
  one: {<<: *base, command: x}
  two: {<<: [*base, *more], environment: {<<: *env, B: "3"}}
`);
    assert.deepEqual(spec.services.one, { image: 'a', instances: 1, command: ['x'], environment: { A: '1', B: '2' } });
    assert.deepEqual(spec.services.two, {
      image: 'a',
      instances: 1,
      restart: 'always',
      environment: { B: '3', A: '1' },
    });
  });
});

describe('the stack', () => {
  test('its name: --name, name, directory', () => {
    const text = 'services: {a: {image: a}}';
    assert.equal(parse(text).name, 'shop');
    assert.equal(parse(`name: other\n${text}`).namespace, 'other');
    assert.equal(parse(`name: other\n${text}`, { projectName: 'third' }).name, 'third');
    assert.match(problems(`name: My_App\n${text}`)[0] ?? '', /1:1: "My_App" is no name of a stack .*my-app/);
    assert.match(problems(`name: kube-system\n${text}`)[0] ?? '', /taken by Flotilla itself/);
  });

  test('isolate', () => {
    const text = 'services: {web: {image: nginx}}\n';
    assert.equal(parse(`isolate: true\n${text}`).spec.isolate, true);
    assert.equal(parse('isolate: "${ALONE:-true}"\n'.concat(text)).spec.isolate, true);
    assert.equal(parse(`isolate: false\n${text}`).spec.isolate, undefined);
    assert.deepEqual(problems(`${text}isolate: "yes"\n`), [
      'compose.yaml:2:10: "isolate" must be true or false, not "yes"',
    ]);
    assert.deepEqual(problems(`${text}isolated: true\n`), [
      'compose.yaml:2:1: unknown key "isolated" at the top level (did you mean "isolate"?)',
    ]);
  });

  test('its version, and the one of Compose', () => {
    const text = 'services: {a: {image: a}}';
    assert.equal(parse(`version: 1.2.0\n${text}`).spec.version, '1.2.0');
    const { spec, warnings } = parse(`version: "3.8"\n${text}`);
    assert.equal(spec.version, undefined);
    assert.deepEqual(warnings, [
      'compose.yaml:1:1: "version: 3.8" has no effect (Compose files have no version any more; remove it)',
    ]);
  });

  test('volumes', () => {
    const { spec } = parse(`
services: {a: {image: a}}
volumes: {data: , old: {external: true}, older: {external: {name: x}}, named: {external: true, name: y}, l: {driver: local, labels: [a=b]}}
`);
    assert.deepEqual(spec.volumes, {
      data: {},
      old: { external: 'old' },
      older: { external: 'x' },
      named: { external: 'y' },
      l: { labels: { a: 'b' } },
    });
  });

  test('names of volumes become names of objects', () => {
    const { spec } = parse('services: {a: {image: a, volumes: ["My_data:/d"]}}\nvolumes: {My_data: }');
    assert.deepEqual(spec.services.a?.mounts, [{ type: 'volume', source: 'my-data', target: '/d' }]);
    assert.deepEqual(spec.volumes, { 'my-data': {} });
  });

  test('what has no effect is warned of, by name', () => {
    const { warnings } = parse('services:\n  a:\n    image: a\n    container_name: my-a\n');
    assert.match(warnings[0] ?? '', /^compose\.yaml:4:5: "container_name" in service "a" has no effect/);
  });
});

describe('refusals', () => {
  const web = 'services:\n  web:\n    image: nginx\n    ';
  const tables: [text: string, expected: RegExp][] = [
    ['', /^compose\.yaml:1:1: the file is empty/],
    ['a: [', /malformed YAML/],
    ['a: 1\na: 2', /2:1: malformed YAML: Map keys must be unique/],
    ['services: {a: {image: a}}\n---\nservices: {}', /a second YAML document/],
    ['[1]', /the file must be a map, not a list/],
    ['services: {}', /"services" is empty/],
    ['name: x', /the file has no "services"/],
    ['servces: {a: {image: a}}', /1:1: unknown key "servces" at the top level \(did you mean "services"\?\)/],
    [`${web}imge: x`, /4:5: unknown key "imge" in service "web" \(did you mean "image"\?\)/],
    [`${web}dependsOn: [x]`, /unknown key "dependsOn" .*did you mean "depends_on"/],
    [
      `${web}failover: {after: 2s}`,
      /"after" in "failover" of service "web" must be a duration of at least 3s such as 10s or 1m30s, or never, not "2s"/,
    ],
    [
      `${web}deploy: {replace_unhealthy_after: soon}`,
      /"replace_unhealthy_after" in "deploy" of service "web" must be a duration of at least 3s .* not "soon"/,
    ],
    [`${web}failover: {before: 2s}`, /unknown key "before" in "failover" of service "web"/],
    [`${web}qqqqqq: x`, /unknown key "qqqqqq" in service "web" \(known are: image, instances/],
    [`${web}build: .`, /4:5: "build" in service "web" is not supported \(build and push the image first/],
    [`${web}privileged: true`, /"privileged" in service "web" is not supported/],
    [`${web}ports: "80"`, /4:12: "ports" of service "web" must be a list, not "80"/],
    [`${web}ports: ["80:x"]`, /4:13: port "80:x" of service "web"/],
    [`${web}ports: ["70000"]`, /is not from 1 to 65535/],
    [`${web}ports: ["1-3:1-2"]`, /3 ports of the host for 2 of the container/],
    [`${web}ports: ["300.0.0.1:1:1"]`, /"300\.0\.0\.1" is no IP address/],
    [`${web}ports: ["80/sctp"]`, /neither tcp nor udp/],
    [`${web}ports: [80, "80"]`, /the same port twice/],
    [`${web}ports: [{published: 1}]`, /has no "target"/],
    [`${web}instances: two`, /"instances" of service "web" must be an integer, not "two"/],
    [`${web}instances: -1`, /must be from 0 to 10000, not -1/],
    [`${web}instances: 1\n    deploy: {replicas: 2}`, /are the same/],
    [`${web}deploy: {mode: global}`, /"mode: global"/],
    [`${web}deploy: {endpoint_mode: anycast}`, /"endpoint_mode" in "deploy" of service "web" must be .*vip.*dnsrr/],
    [`${web}deploy: {placement: {}}`, /"placement" in "deploy" of service "web" is not supported/],
    [`${web}deploy: {resources: {limits: {memory: 12q}}}`, /must be a size such as 512m, not "12q"/],
    [`${web}deploy: {resources: {limits: {cpus: 1}, reservations: {cpus: 2}}}`, /is more than "limits\.cpus"/],
    [`${web}command: [sleep, 5]`, /must be a string, not number 5 \(put it into quotes: "5"\)/],
    [`${web}command: "a 'b"`, /a quote in "command" of service "web" is never closed/],
    [`${web}environment: {A: [1]}`, /the value of "A" in "environment" of service "web" must be text, not a list/],
    [`${web}environment: ["A B=1"]`, /is no name of an environment variable/],
    [`${web}environment: {"A:B": "\${HOME}"}`, /4:19: "A:B" of service "web" is no name of a key of a Secret/],
    [`${web}labels: ["a b=1"]`, /4:14: "a b" in "labels" of service "web" is no name of a label: name part must/],
    [`${web}labels: {flotilla.dev/user: root}`, /4:14: .* names with flotilla\.dev\/ are Flotilla's own/],
    [`${web}working_dir: srv`, /4:5: "working_dir" of service "web" must be absolute, not "srv"/],
    [`${web}ports: ["8080:80", "8080:81"]`, /4:24: two ports of service "web" at port 8080 of the host/],
    [`${web}ports: ["8080:80", "127.0.0.1:8080:81"]`, /two ports of service "web" at port 8080 of the host/],
    [`${web}env_file: nope.env`, /4:15: env_file "nope\.env" does not exist/],
    [`${web}volumes: ["data:/x"]`, /volume "data" of service "web" is not declared \(declare it/],
    [`${web}volumes: ["dta:/x"]\nvolumes: {data: }`, /did you mean "data"\?/],
    [`${web}volumes: [/x]`, /a volume without a name/],
    [`${web}volumes: ["/x:y"]`, /the target "y" of a volume of service "web" must be an absolute path/],
    [`${web}volumes: ["/x:/y:rshared"]`, /option "rshared" is not supported/],
    [`${web}volumes: ["/x:/y", "/z:/y/"]`, /two volumes of service "web" at \/y/],
    [`${web}volumes: [{type: npipe, target: /x}]`, /must be one of volume, bind, tmpfs/],
    [
      `${web}volumes: [{type: bind, source: /x, target: /x, tmpfs: {size: 1}}]`,
      /does not belong to a volume of type bind/,
    ],
    [`${web}healthcheck: {interval: 5s}`, /has no "test" \(the image's own is not read/],
    [`${web}healthcheck: {test: [curl]}`, /must begin with "CMD", "CMD-SHELL" or "NONE"/],
    [`${web}healthcheck: {test: x, interval: 5}`, /must be a duration such as 30s or 1m30s, not "5"/],
    [`${web}restart: sometimes`, /must be one of no, always, unless-stopped, on-failure/],
    [`${web}restart: false`, /put it into quotes: restart: "no"/],
    [`${web}restart: no\n    instances: 2`, /runs once and cannot have 2 instances/],
    [`${web}depends_on: [db]`, /4:18: "depends_on" of service "web" names "db", which is no service of this file/],
    [`${web}depends_on: [wep]\n  wbe: {image: a}`, /did you mean "web"\?/],
    [`${web}depends_on: {web: {condition: healthy}}`, /must be one of service_started, service_healthy/],
    [
      'services: {a: {image: a, depends_on: [b]}, b: {image: b, depends_on: [c]}, c: {image: c, depends_on: [a]}}',
      /services wait for each other: a → b → c → a/,
    ],
    [
      'services: {a: {image: a, depends_on: {b: {condition: service_completed_successfully}}}, b: {image: b, restart: always}}',
      /waits for the end of "b"/,
    ],
    [`${web}networks: {default: {aliases: [a b]}}`, /"a b" of service "web" cannot be a name in DNS/],
    [`${web}networks: {default: {ipv4_address: 10.0.0.1}}`, /"ipv4_address" of network "default" of service "web"/],
    [`${web}links: [wep]`, /"links" of service "web" names "wep", which is no service.*did you mean "web"/],
    [`${web}links: ['web:b/c']`, /"b\/c" of service "web" cannot be a name in DNS/],
    [`${web}networks: [back]`, /network "back" of service "web" is not supported \(all services/],
    [`${web}secrets: [pw]`, /secret "pw" of service "web" is not declared/],
    [`${web}secrets: [{source: pw, mode: 9}]\nsecrets: {pw: {environment: HOME}}`, /must be a file mode such as 0440/],
    [`${web}stop_grace_period: soon`, /must be a duration/],
    [`${web}command: echo $`, /4:19: a single "\$" stands before no variable \(write \$\$ for a dollar sign\)/],
    [`${web}command: echo \${X`, /4:19: "\$\{" is never closed/],
    [`${web}command: \${X:?say it}`, /variable "X" is not set: say it/],
    [`${web}command: \${X}`, /variable "X" is not set \(give --set X=…/],
    ['services: {my_web: {image: a}}', /"my_web" is no name of a service \(it becomes a DNS name: write my-web\)/],
    ['services: {web: }', /service "web" must be a map, not empty/],
    ['services: {web: {command: x}}', /"image" of service "web" is missing/],
    ['services: {web: {image: a b}}', /has a blank in it/],
    ['services: {a: {image: a}}\nsecrets: {s: {external: true}}', /"external" in secret "s" is not supported/],
    ['services: {a: {image: a}}\nsecrets: {s: {file: nope}}', /file "nope" in secret "s" does not exist/],
    ['services: {a: {image: a}}\nconfigs: {s: {file: a, content: b}}', /exactly one of/],
    ['services: {a: {image: a}}\nvolumes: {d: {driver: nfs}}', /"driver" in volume "d" must be local/],
    ['services: {a: {image: a}}\nvolumes: {d: {name: x}}', /"name" in volume "d" is only for external volumes/],
    ['services: {a: {image: a}}\nvolumes: {"my data": }', /is no name of a volume/],
    [
      'services: {a: {image: a}}\nvolumes: {my_data: , my-data: }',
      /volumes "my_data" and "my-data" would have the same name/,
    ],
    ['services: {a: {image: a}}\nnetworks: {front: }', /network "front" is not supported/],
    ['a: &a [*a]', /an anchor contains itself/],
    [`services: ${'['.repeat(200)}${']'.repeat(200)}`, /nested more than 64 deep/],
    [`a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [${'*a,'.repeat(99)}]\nc: &c [${'*b,'.repeat(60)}]`, /more than 50000 values/],
    [`# ${'x'.repeat(1_100_000)}`, /more than 1048576 characters/],
  ];
  for (const [text, expected] of tables) {
    test(String(expected), () => {
      const found = problems(text);
      assert.ok(
        found.some((line) => expected.test(line)),
        found.join('\n'),
      );
    });
  }

  test('all problems of a file are reported, in order, with file, line and column', () => {
    assert.deepEqual(
      problems('services:\n  web:\n    imge: nginx\n    ports: x\n  db:\n    image: pg\n    build: .\n'),
      [
        'compose.yaml:3:5: unknown key "imge" in service "web" (did you mean "image"?)',
        'compose.yaml:3:5: "image" of service "web" is missing',
        'compose.yaml:4:12: "ports" of service "web" must be a list, not "x"',
        'compose.yaml:7:5: "build" in service "db" is not supported (build and push the image first (docker build, docker push), then name it with image)',
      ],
    );
  });

  test("a secret's value is in no message", () => {
    const world = { environment: { PW: 'geheim' } };
    const found = problems(
      'services: {web: {image: a, instances: "${PW}", restart: "${PW}", healthcheck: "${PW}"}}',
      world,
    );
    assert.equal(found.length, 3);
    assert.ok(!found.join().includes('geheim'), found.join('\n'));
  });

  test('a bad line of an env file is named there', () => {
    const files = { '/home/a/shop/web.env': 'A=1\n?\nB="open\n' };
    const found = problems('services: {web: {image: a, env_file: web.env}}', { files });
    assert.deepEqual(found, [
      'web.env:2:1: no line of the form KEY=value',
      'web.env:3:1: the quote of "B" is never closed',
    ]);
  });
});

describe('any input', () => {
  const isBadFile = (text: string, world: World = {}): void => {
    try {
      parse(text, world);
    } catch (error) {
      assert.ok(error instanceof FlotillaError && error.code === 'BadFile', `${String(error)} for ${text}`);
    }
  };
  const words = fc.constantFrom(
    'services',
    'web',
    'image',
    'ports',
    'volumes',
    'healthcheck',
    'test',
    'deploy',
    'replicas',
    '<<',
    'x-a',
    '__proto__',
    'constructor',
    'depends_on',
    'secrets',
    'environment',
    'variables',
    'type',
    'default',
    '${X}',
    '$',
    '80:80',
    'a:/b',
    '',
  );
  const tree = fc.letrec((tie) => ({
    node: fc.oneof({ maxDepth: 5 }, words, fc.integer(), fc.boolean(), fc.constant(null), tie('list'), tie('map')),
    list: fc.array(tie('node'), { maxLength: 4 }),
    map: fc.dictionary(words, tie('node'), { maxKeys: 5 }),
  }));

  test('text of any kind is a stack or BadFile', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => isBadFile(Buffer.from(bytes).toString('latin1'))),
      { numRuns: 150 },
    );
    const pieces = fc.constantFrom(
      'a',
      ': ',
      '\n',
      '  ',
      '- ',
      '[',
      ']',
      '{',
      '}',
      '&x ',
      '*x',
      '<<: ',
      '"',
      "'",
      '|',
      '>',
      '!!int ',
      '? ',
      '#',
      '$',
      '${',
      '---\n',
      '\t',
      '%',
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 40 }), (parts) => isBadFile(parts.join(''))),
      { numRuns: 200 },
    );
  });

  test('values of any shape are a stack or BadFile', () => {
    fc.assert(
      fc.property(tree.node, tree.node, tree.node, (web, volumes, top) => {
        isBadFile(JSON.stringify({ services: { web }, volumes }), { environment: { X: 'x' } });
        isBadFile(JSON.stringify(top));
      }),
      { numRuns: 200 },
    );
  });

  test('every key of a service with a value of any shape is read or BadFile', () => {
    const keys = fc.constantFrom(
      'image',
      'command',
      'environment',
      'env_file',
      'ports',
      'expose',
      'volumes',
      'tmpfs',
      'deploy',
      'healthcheck',
      'depends_on',
      'restart',
      'labels',
      'user',
      'networks',
      'links',
      'secrets',
      'configs',
      'stop_grace_period',
      'instances',
    );
    fc.assert(
      fc.property(keys, tree.node, (key, value) =>
        isBadFile(JSON.stringify({ services: { web: { image: 'a', [key]: value } } })),
      ),
      { numRuns: 200 },
    );
  });
});
