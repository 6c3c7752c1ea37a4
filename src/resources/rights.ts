import type { Container, PodSpec } from 'kubernetes-types/core/v1.js';
import { forbidden } from './field-errors.ts';
import type { FieldError } from './schema.ts';

/** Who a container runs as: what it says itself counts before what its pod says. */
export interface RunAs {
  readonly user: number | undefined;
  readonly group: number | undefined;
}

export function runAs(spec: PodSpec, container: Container): RunAs {
  const [own, pod] = [container.securityContext, spec.securityContext];
  return { user: own?.runAsUser ?? pod?.runAsUser, group: own?.runAsGroup ?? pod?.runAsGroup };
}

/** What the engine could not do, or would do in another way than is meant. `path` is that of the pod's spec. */
export function validateRights(spec: PodSpec, path: string, errors: FieldError[]): void {
  const pathOf = (name: 'runAsGroup' | 'runAsNonRoot', container: Container, at: string) =>
    container.securityContext?.[name] === undefined
      ? `${path}.securityContext.${name}`
      : `${path}.${at}.securityContext.${name}`;
  const all = (['initContainers', 'containers'] as const).flatMap((list) =>
    (spec[list] ?? []).map((container, index) => ({ container, at: `${list}[${index}]` })),
  );
  for (const { container, at } of all) {
    const { user, group } = runAs(spec, container);
    if (group !== undefined && user === undefined) {
      // The engine takes a group only together with a user; root in place of the image's user would be a trap.
      errors.push(forbidden(pathOf('runAsGroup', container, at), 'not supported by Flotilla: set runAsUser, too'));
    }
    const isNonRoot = container.securityContext?.runAsNonRoot ?? spec.securityContext?.runAsNonRoot ?? false;
    if (isNonRoot && !user) {
      const why = 'not supported by Flotilla: set runAsUser to another user than 0';
      errors.push(forbidden(pathOf('runAsNonRoot', container, at), why));
    }
  }
  spec.securityContext?.sysctls?.forEach(({ name }, index) => {
    if (!spec.hostNetwork || !name?.startsWith('net.')) return; // without a name it is refused elsewhere
    const why = "may not be specified when 'hostNetwork' is true";
    errors.push(forbidden(`${path}.securityContext.sysctls[${index}].name`, why));
  });
}
