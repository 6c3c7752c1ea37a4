import { ageColumn, column, defineKind, nameColumn, statusSubresource } from '../define-kind.ts';
import { duplicate, invalid, notFound, required, tooLong } from '../field-errors.ts';
import { objectMeta } from '../meta.ts';
import { configKey, dns1035Label, dnsLabel, dnsSubdomain } from '../name-checks.ts';
import { type FieldError, field, message } from '../schema.ts';
import type { Stack, StackMount, StackService, StackServiceStatus, StackSpec } from '../stack-types.ts';
import { decodedBytesOf, maxDataBytes } from './config-map.ts';
import { stackSpec, stackStatus } from './stack-message.ts';

const identity = { group: 'flotilla.dev', version: 'v1alpha1', kind: 'Stack', plural: 'stacks' };

export const stacks = defineKind<Stack>({
  ...identity,
  categories: ['all'],
  encrypted: true,
  nameRule: 'label',
  subresources: [statusSubresource(identity)],
  message: message('Stack', {
    metadata: field(0, objectMeta),
    spec: field(0, stackSpec, { required: true }),
    status: field(0, stackStatus),
  }),
  columns: [
    nameColumn(),
    column('Services', 'How many it has.', (stack) => Object.keys(stack.spec.services).length, { type: 'integer' }),
    column('Ready', 'Instances that are ready, of those wanted.', readyOf),
    column('Status', 'Available, or what keeps it from it.', statusOf),
    ageColumn(),
  ],
  validate: (stack, errors) => {
    if (stack.spec) validateStackSpec(stack.spec, errors);
  },
});

function readyOf(stack: Stack): string {
  const services = Object.values(stack.spec.services);
  const statuses: StackServiceStatus[] = Object.values(stack.status?.services ?? {});
  const ready = statuses.reduce((sum, one) => sum + (one.ready ?? 0), 0);
  return `${ready}/${services.reduce((sum, one) => sum + (one.instances ?? 1), 0)}`;
}

function statusOf(stack: Stack): string {
  const conditions = stack.status?.conditions ?? [];
  if (conditions.find((one) => one.type === 'Available')?.status === 'True') return 'Available';
  return conditions.find((one) => one.type === 'Progressing')?.reason || 'Pending';
}

function validateStackSpec(spec: StackSpec, errors: FieldError[]): void {
  for (const [name, service] of Object.entries(spec.services ?? {})) {
    const path = `spec.services[${name}]`;
    // Its Service object is named after it.
    for (const problem of dns1035Label(name)) errors.push(invalid(path, name, problem));
    validateService(spec, name, service, path, errors);
  }
  for (const [name, volume] of Object.entries(spec.volumes ?? {})) {
    for (const problem of dnsLabel(name)) errors.push(invalid(`spec.volumes[${name}]`, name, problem));
    for (const problem of volume.external ? dnsSubdomain(volume.external) : []) {
      errors.push(invalid(`spec.volumes[${name}].external`, volume.external, problem));
    }
  }
  for (const part of ['secrets', 'configs'] as const) {
    for (const [name, file] of Object.entries(spec[part] ?? {})) {
      const path = `spec.${part}[${name}]`;
      for (const problem of configKey(name)) errors.push(invalid(path, name, problem));
      if (decodedBytesOf({ data: file.data ?? '' }) > maxDataBytes) errors.push(tooLong(`${path}.data`, maxDataBytes));
    }
  }
}

function validateService(
  spec: StackSpec,
  name: string,
  service: StackService,
  path: string,
  errors: FieldError[],
): void {
  for (const other of Object.keys(service.dependsOn ?? {})) {
    const at = `${path}.dependsOn[${other}]`;
    if (other === name) errors.push(invalid(at, other, 'a service cannot depend on itself'));
    else if (!Object.hasOwn(spec.services, other)) errors.push(notFound(at, other));
  }
  const targets = new Set<string>();
  service.mounts?.forEach((mount, index) => {
    const at = `${path}.mounts[${index}]`;
    if (targets.has(mount.target)) errors.push(duplicate(`${at}.target`, mount.target));
    targets.add(mount.target);
    validateMountSource(spec, mount, at, errors);
  });
}

function validateMountSource(spec: StackSpec, mount: StackMount, path: string, errors: FieldError[]): void {
  if (mount.type === 'tmpfs') return;
  if (!mount.source) {
    errors.push(required(`${path}.source`));
    return;
  }
  if (mount.type === 'bind') {
    if (!mount.source.startsWith('/')) {
      errors.push(invalid(`${path}.source`, mount.source, 'must be an absolute path of the host'));
    }
    return;
  }
  const known = { volume: spec.volumes, secret: spec.secrets, config: spec.configs }[mount.type];
  if (!known || !Object.hasOwn(known, mount.source)) errors.push(notFound(`${path}.source`, mount.source));
}
