import type { ResourceRequirements } from 'kubernetes-types/core/v1.js';
import { forbidden, invalid } from './field-errors.ts';
import { nonNegativeMessage } from './name-checks.ts';
import { parseQuantity } from './quantity.ts';
import { type FieldError, field, listOf, mapOf, message, unsupported } from './schema.ts';

const known = ['cpu', 'memory'];
const storage = 'ephemeral-storage';

export const resourceRequirements = message(
  'ResourceRequirements',
  {
    limits: field(1, mapOf('quantity'), { description: 'What the container can never exceed: cpu, memory.' }),
    requests: field(2, mapOf('quantity'), { description: 'What the scheduler sets aside. Default: the limits.' }),
    claims: unsupported(3, 'request cpu and memory', { type: listOf('any') }),
  },
  { validate: validateResources, warn: warnOfStorage },
);

function warnOfStorage(resources: ResourceRequirements, path: string, warnings: string[]): void {
  for (const part of ['limits', 'requests'] as const) {
    if (resources[part]?.[storage] === undefined) continue;
    warnings.push(`${path}.${part}[${storage}]: accepted, and not done: what containers write is not measured`);
  }
}

function validateResources(resources: ResourceRequirements, path: string, errors: FieldError[]): void {
  for (const part of ['limits', 'requests'] as const) {
    for (const [name, quantity] of Object.entries(resources[part] ?? {})) {
      const at = `${path}.${part}[${name}]`;
      if (!known.includes(name) && name !== storage) {
        errors.push(
          forbidden(at, `not supported by Flotilla: only ${known.join(' and ')} can be requested and limited`),
        );
      } else if (parseQuantity(quantity) < 0) errors.push(invalid(at, quantity, nonNegativeMessage));
    }
  }
  for (const name of known) {
    const limit = resources.limits?.[name];
    const request = resources.requests?.[name];
    if (limit === undefined || request === undefined || parseQuantity(request) <= parseQuantity(limit)) continue;
    errors.push(invalid(`${path}.requests`, request, `must be less than or equal to ${name} limit of ${limit}`));
  }
}
