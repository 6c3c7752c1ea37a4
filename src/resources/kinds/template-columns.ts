import type { PodTemplateSpec } from 'kubernetes-types/core/v1.js';

/** `web,sidecar` */
export function containersOf(template: PodTemplateSpec | undefined): string {
  return template?.spec?.containers.map((one) => one.name).join(',') ?? '';
}

/** `nginx:1.27,busybox` */
export function imagesOf(template: PodTemplateSpec | undefined): string {
  return template?.spec?.containers.map((one) => one.image ?? '').join(',') ?? '';
}
