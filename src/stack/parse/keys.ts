// Every key of the Compose specification, and ours. A test walks Compose's own schema and finds each key here.
import type { KeyRules } from './reader.ts';

const later = 'Flotilla cannot do this yet; remove it';
const healthcheckHint = 'write a healthcheck of the service itself';

export const topLevelRules: KeyRules = {
  name: 'read',
  version: 'read',
  isolate: 'read',
  services: 'read',
  volumes: 'read',
  secrets: 'read',
  configs: 'read',
  networks: 'read',
  variables: 'read',
  include: { refuse: 'put all services into one file' },
  models: { refuse: later },
};

export const variableRules: KeyRules = {
  type: 'read',
  default: 'read',
  required: 'read',
  options: 'read',
  description: { warn: 'it is a comment' },
  from: { refuse: 'give the value with --set or in .env' },
  to: { refuse: later },
};

export const serviceRules: KeyRules = {
  image: 'read',
  instances: 'read',
  command: 'read',
  entrypoint: 'read',
  environment: 'read',
  env_file: 'read',
  ports: 'read',
  expose: 'read',
  volumes: 'read',
  tmpfs: 'read',
  deploy: 'read',
  healthcheck: 'read',
  health_check: 'read',
  depends_on: 'read',
  restart: 'read',
  labels: 'read',
  user: 'read',
  working_dir: 'read',
  networks: 'read',
  links: 'read',
  secrets: 'read',
  configs: 'read',
  stop_grace_period: 'read',
  failover: 'read',
  ingress: 'read',
  container_name: { warn: 'each instance gets a name of its own; other services reach it by the name of the service' },
  attach: { warn: 'follow its log with: flotilla logs -f' },
  annotations: { refuse: 'use labels' },
  blkio_config: { refuse: later },
  build: { refuse: 'build and push the image first (docker build, docker push), then name it with image' },
  cap_add: { refuse: later },
  cap_drop: { refuse: later },
  cgroup: { refuse: later },
  cgroup_parent: { refuse: 'Flotilla places containers into its own cgroups; use deploy.resources' },
  cpu_count: { refuse: 'use deploy.resources.limits.cpus' },
  cpu_percent: { refuse: 'use deploy.resources.limits.cpus' },
  cpu_period: { refuse: 'use deploy.resources.limits.cpus' },
  cpu_quota: { refuse: 'use deploy.resources.limits.cpus' },
  cpu_rt_period: { refuse: later },
  cpu_rt_runtime: { refuse: later },
  cpu_shares: { refuse: 'use deploy.resources.reservations.cpus' },
  cpus: { refuse: 'use deploy.resources.limits.cpus' },
  cpuset: { refuse: 'use deploy.resources.limits.cpus' },
  credential_spec: { refuse: 'Windows containers are not supported' },
  develop: { refuse: 'it belongs to docker compose watch' },
  device_cgroup_rules: { refuse: later },
  devices: { refuse: later },
  dns: { refuse: 'every container asks the DNS of its node, which knows all services' },
  dns_opt: { refuse: 'every container asks the DNS of its node, which knows all services' },
  dns_search: { refuse: 'every container asks the DNS of its node, which knows all services' },
  domainname: { refuse: later },
  extends: { refuse: 'use YAML anchors and merge keys (<<) instead' },
  external_links: { refuse: 'services reach each other by name: <service>.<stack>' },
  extra_hosts: { refuse: later },
  gpus: { refuse: later },
  group_add: { refuse: later },
  hostname: { refuse: 'a container is named after its instance; other services reach it by the name of the service' },
  init: { refuse: 'put an init such as tini into the image' },
  ipc: { refuse: later },
  isolation: { refuse: 'Windows containers are not supported' },
  label_file: { refuse: 'use labels' },
  logging: { refuse: 'logs are read with: flotilla logs' },
  mac_address: { refuse: later },
  mem_limit: { refuse: 'use deploy.resources.limits.memory' },
  mem_reservation: { refuse: 'use deploy.resources.reservations.memory' },
  mem_swappiness: { refuse: 'use deploy.resources.limits.memory' },
  memswap_limit: { refuse: 'use deploy.resources.limits.memory' },
  models: { refuse: later },
  network_mode: { refuse: 'each instance has an address of its own; use ports to publish on the host' },
  oom_kill_disable: { refuse: later },
  oom_score_adj: { refuse: later },
  pid: { refuse: later },
  pids_limit: { refuse: later },
  platform: { refuse: later },
  post_start: { refuse: later },
  pre_stop: { refuse: later },
  privileged: { refuse: later },
  profiles: { refuse: 'write the services of a profile into a file of their own' },
  provider: { refuse: later },
  pull_policy: { refuse: 'an image is pulled when the node does not have it; give each build a tag of its own' },
  read_only: { refuse: later },
  runtime: { refuse: later },
  scale: { refuse: 'use instances (or deploy.replicas)' },
  security_opt: { refuse: later },
  shm_size: { refuse: 'mount a tmpfs at /dev/shm: tmpfs: ["/dev/shm:size=64m"]' },
  stdin_open: { refuse: 'run an interactive command with: flotilla exec -it' },
  stop_signal: { refuse: 'set STOPSIGNAL in the image' },
  storage_opt: { refuse: later },
  sysctls: { refuse: later },
  tty: { refuse: 'run an interactive command with: flotilla exec -it' },
  ulimits: { refuse: later },
  use_api_socket: { refuse: later },
  userns_mode: { refuse: later },
  uts: { refuse: later },
  volumes_from: { refuse: 'name the same volume in both services' },
};

/** Ours: Compose has no other hosts. */
export const failoverRules: KeyRules = { after: 'read' };

export const deployRules: KeyRules = {
  replicas: 'read',
  resources: 'read',
  mode: 'read',
  labels: { refuse: 'use labels of the service' },
  endpoint_mode: 'read',
  placement: { refuse: later },
  restart_policy: { refuse: 'use restart: always, on-failure or "no"' },
  rollback_config: 'read',
  update_config: 'read',
  // Ours, and Kontena's.
  strategy: 'read',
  update: 'read',
  wait_for_port: 'read',
  replace_unhealthy_after: 'read',
  min_health: 'read',
  auto_rollback: 'read',
  deadline: 'read',
  interval: { refuse: 'deploy again when there is something new' },
};

/** Compose's; `rollback_config` has the same keys. */
export const updateConfigRules: KeyRules = {
  parallelism: 'read',
  delay: 'read',
  order: 'read',
  monitor: 'read',
  failure_action: 'read',
  max_failure_ratio: 'read',
};

export const rollbackConfigRules: KeyRules = {
  parallelism: 'read',
  order: 'read',
  max_failure_ratio: 'read',
  delay: { warn: 'going back does not wait' },
  monitor: { warn: 'it is that of "update_config"' },
  failure_action: { warn: 'what cannot go back stays as it is' },
};

/** Ours: when, and how fast. */
export const updateRules: KeyRules = { window: 'read', timezone: 'read', max_at_once: 'read', pause: 'read' };

/** Kontena's. */
export const healthCheckRules: KeyRules = {
  protocol: 'read',
  port: 'read',
  uri: 'read',
  interval: 'read',
  timeout: 'read',
  initial_delay: 'read',
  retries: 'read',
};

export const resourcesRules: KeyRules = { limits: 'read', reservations: 'read' };

export const limitRules: KeyRules = {
  cpus: 'read',
  memory: 'read',
  pids: { refuse: later },
};

export const reservationRules: KeyRules = {
  cpus: 'read',
  memory: 'read',
  generic_resources: { refuse: later },
  devices: { refuse: later },
};

export const healthcheckRules: KeyRules = {
  test: 'read',
  disable: 'read',
  interval: 'read',
  timeout: 'read',
  retries: 'read',
  start_period: 'read',
  start_interval: { warn: 'a new container is probed every second until it is healthy' },
};

export const portRules: KeyRules = {
  target: 'read',
  published: 'read',
  host_ip: 'read',
  protocol: 'read',
  mode: 'read',
  name: { warn: 'it is a comment' },
  app_protocol: { warn: 'it is a comment' },
};

export const mountRules: KeyRules = {
  type: 'read',
  source: 'read',
  target: 'read',
  read_only: 'read',
  bind: 'read',
  volume: 'read',
  tmpfs: 'read',
  image: { refuse: later },
  consistency: { warn: 'it matters on macOS only' },
};

export const bindRules: KeyRules = {
  create_host_path: 'read',
  propagation: { refuse: later },
  recursive: { refuse: later },
  selinux: { refuse: 'label the directory on the hosts' },
};

export const mountVolumeRules: KeyRules = {
  nocopy: { refuse: later },
  subpath: { refuse: later },
  labels: { refuse: 'write them at the volume, in the top-level volumes' },
};

export const mountTmpfsRules: KeyRules = {
  size: 'read',
  mode: { refuse: later },
};

export const dependsOnRules: KeyRules = {
  condition: 'read',
  required: 'read',
  restart: 'read',
};

export const envFileRules: KeyRules = { path: 'read', required: 'read', format: 'read' };

/** How a service uses a secret or config. */
export const fileMountRules: KeyRules = {
  source: 'read',
  target: 'read',
  mode: 'read',
  uid: { refuse: 'files belong to root; widen mode instead' },
  gid: { refuse: 'files belong to root; widen mode instead' },
};

const fileRules: KeyRules = {
  file: 'read',
  environment: 'read',
  external: { refuse: 'give its content with file or environment' },
  name: { refuse: 'it is named by its key' },
  labels: { refuse: later },
  driver: { refuse: later },
  driver_opts: { refuse: later },
  template_driver: { refuse: later },
};

export const secretRules: KeyRules = fileRules;
export const configRules: KeyRules = { ...fileRules, content: 'read' };

export const volumeRules: KeyRules = {
  external: 'read',
  name: 'read',
  labels: 'read',
  driver: 'read',
  driver_opts: { refuse: 'a volume is a directory of one node; mount a path of the host instead' },
};

export const externalRules: KeyRules = { name: 'read' };

const oneNetwork = 'all services of a stack share one network and reach each other by name; remove it';

export const networkRules: KeyRules = {
  name: { refuse: oneNetwork },
  driver: 'read',
  driver_opts: { refuse: oneNetwork },
  ipam: { refuse: 'addresses come from the range of the grid' },
  external: { refuse: oneNetwork },
  internal: { refuse: later },
  enable_ipv4: { refuse: later },
  enable_ipv6: { refuse: later },
  attachable: { refuse: oneNetwork },
  labels: { refuse: later },
};

export const hints = { later, healthcheck: healthcheckHint, oneNetwork } as const;
