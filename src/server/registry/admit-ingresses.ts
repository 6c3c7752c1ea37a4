import { invalidError } from '../../resources/field-errors.ts';
import { legacyClassAnnotation, legacyClassErrors } from '../../resources/ingress-validation.ts';
import { defaultClassAnnotation } from '../../resources/kinds/ingress-class.ts';
import { type Ingress, type IngressClass, ingressClasses, ingresses } from '../../resources/kinds.ts';
import type { WatchCache } from '../cache/watch-cache.ts';
import type { Completer } from './call.ts';
import { isSame } from './server-fields.ts';

/** Gives new Ingress objects that name no class the default one, as Kubernetes does. Throws ApiError 422 for one that says two. */
export function createIngressAdmission({ cache }: { readonly cache: WatchCache }): Completer {
  return async ({ grid }, kind, object) => {
    if (!isSame(kind, ingresses)) return object;
    const ingress = object as Ingress;
    const errors = ingress.spec ? legacyClassErrors(ingress) : [];
    if (errors.length > 0) throw invalidError(ingresses, ingress.metadata.name, errors);
    const isSaid = ingress.metadata.annotations?.[legacyClassAnnotation] !== undefined;
    if (isSaid || ingress.spec?.ingressClassName !== undefined) return object;
    const found = defaultClass((cache.list(grid, ingressClasses, {}) ?? []).map((one) => one.object as IngressClass));
    return found ? { ...ingress, spec: { ...ingress.spec, ingressClassName: found.metadata.name } } : object;
  };
}

/** The newest, where several say that they are. */
export function defaultClass(classes: readonly IngressClass[]): IngressClass | undefined {
  const madeOf = ({ metadata }: IngressClass) => metadata.creationTimestamp ?? '';
  const candidates = classes.filter(({ metadata }) => metadata.annotations?.[defaultClassAnnotation] === 'true');
  const [first] = candidates.sort((a, b) => {
    if (madeOf(a) !== madeOf(b)) return madeOf(a) > madeOf(b) ? -1 : 1;
    return a.metadata.name < b.metadata.name ? -1 : 1;
  });
  return first;
}
