import { legacyClassAnnotation } from './ingress-validation.ts';
import { defaultClassAnnotation, ownClass, ownController } from './kinds/ingress-class.ts';
import type { Ingress, IngressClass } from './kinds.ts';

/** Whether Flotilla's proxies serve an Ingress object: it is of a class of ours, or of none where a class of ours is the default. */
export function isOurIngress(ingress: Ingress, classes: ReadonlyMap<string, IngressClass>): boolean {
  const name = ingress.spec.ingressClassName ?? ingress.metadata.annotations?.[legacyClassAnnotation];
  if (name !== undefined) {
    const found = classes.get(name);
    return found ? found.spec.controller === ownController : name === ownClass;
  }
  for (const { metadata, spec } of classes.values()) {
    if (metadata.annotations?.[defaultClassAnnotation] === 'true') return spec.controller === ownController;
  }
  return classes.size === 0;
}
