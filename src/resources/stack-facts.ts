import type { StackService } from './stack-types.ts';

/** Its instances are ready because a check of their own says so, not just because they run. */
export function isChecked(service: StackService): boolean {
  return service.healthcheck !== undefined || service.healthCheck !== undefined || service.waitForPort !== undefined;
}

/** Files of a volume have one writer: two generations side by side are impossible. */
export function writesVolume(service: StackService): boolean {
  return service.mounts?.some((mount) => mount.type === 'volume' && !mount.readOnly) ?? false;
}

/** A port of the host has one owner a node. */
export function hasHostPort(service: StackService): boolean {
  return service.ports?.some((port) => port.hostPort !== undefined) ?? false;
}
