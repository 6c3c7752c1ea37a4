// Discovery: which kinds there are, in the two forms that clients ask for.

import type { Kind, Subresource } from '../../resources/kind.ts';
import { allKinds } from '../../resources/kinds.ts';
import { reviews, servedGroups } from './route.ts';

/** How a list of kinds is asked for. */
export type DiscoveryForm = 'v2' | 'v2beta1' | undefined;

/** The best that the Accept header understands; older kubectl know v2beta1 only. Undefined: the plain form. */
export function discoveryForm(accept: string | undefined): DiscoveryForm {
  for (const range of (accept ?? '').split(',')) {
    const parameters = new Set(range.split(';').map((part) => part.trim()));
    if (!parameters.has('as=APIGroupDiscoveryList') || !parameters.has('g=apidiscovery.k8s.io')) continue;
    if (parameters.has('v=v2')) return 'v2';
    if (parameters.has('v=v2beta1')) return 'v2beta1';
  }
  return undefined;
}

export function discoveryContentType(form: DiscoveryForm): string {
  return form ? `application/json;g=apidiscovery.k8s.io;v=${form};as=APIGroupDiscoveryList` : 'application/json';
}

/** `/api` (the core group) or `/apis` (all others). */
export function discovery(path: 'api' | 'apis', form: DiscoveryForm): object {
  const groups = servedGroups().filter(({ group }) => (group === '') === (path === 'api'));
  if (form) {
    return {
      kind: 'APIGroupDiscoveryList',
      apiVersion: `apidiscovery.k8s.io/${form}`,
      metadata: {},
      items: groups.map(({ group, version }) => ({
        metadata: { ...(group === '' ? {} : { name: group }), creationTimestamp: null },
        versions: [{ version, freshness: 'Current', resources: aggregated(group) }],
      })),
    };
  }
  if (path === 'api') {
    return { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] };
  }
  return { kind: 'APIGroupList', apiVersion: 'v1', groups: groups.map(({ group }) => groupOf(group)) };
}

/** `/apis/<group>`; undefined for one that is not served. */
export function apiGroup(group: string): object | undefined {
  if (group === '' || !servedGroups().some((one) => one.group === group)) return undefined;
  return { kind: 'APIGroup', apiVersion: 'v1', ...groupOf(group) };
}

function groupOf(group: string): object {
  const { version } = servedGroups().find((one) => one.group === group)!;
  const groupVersion = { groupVersion: `${group}/${version}`, version };
  return { name: group, versions: [groupVersion], preferredVersion: groupVersion };
}

/** `/api/v1` and `/apis/<group>/<version>`; undefined for one that is not served. */
export function resourceList(group: string, version: string): object | undefined {
  if (!servedGroups().some((one) => one.group === group && one.version === version)) return undefined;
  const stored = allKinds.filter((kind) => kind.group === group).flatMap(plain);
  const answered = reviews
    .filter((review) => review.group === group)
    .map(({ plural, kind, namespaced }) => ({
      name: plural,
      singularName: kind.toLowerCase(),
      namespaced,
      kind,
      verbs: ['create'],
    }));
  const groupVersion = group === '' ? version : `${group}/${version}`;
  return { kind: 'APIResourceList', apiVersion: 'v1', groupVersion, resources: [...stored, ...answered] };
}

function plain(kind: Kind): object[] {
  const { shortNames, categories, namespaced } = kind;
  return [
    {
      name: kind.plural,
      singularName: kind.singular,
      namespaced,
      kind: kind.kind,
      verbs: kind.verbs,
      ...(shortNames.length === 0 ? {} : { shortNames }),
      ...(categories.length === 0 ? {} : { categories }),
    },
    ...subresourcesOf(kind).map(({ name, verbs, responseKind }) => ({
      name: `${kind.plural}/${name}`,
      singularName: '',
      namespaced,
      kind: responseKind.kind,
      verbs,
      ...(responseKind.group === kind.group ? {} : { group: responseKind.group, version: responseKind.version }),
    })),
  ];
}

function aggregated(group: string): object[] {
  const stored = allKinds
    .filter((kind) => kind.group === group)
    .map((kind) => ({
      resource: kind.plural,
      responseKind: { group: kind.group, version: kind.version, kind: kind.kind },
      scope: kind.namespaced ? 'Namespaced' : 'Cluster',
      singularResource: kind.singular,
      verbs: kind.verbs,
      ...(kind.shortNames.length === 0 ? {} : { shortNames: kind.shortNames }),
      ...(kind.categories.length === 0 ? {} : { categories: kind.categories }),
      subresources: subresourcesOf(kind).map(({ name, verbs, responseKind }) => ({
        subresource: name,
        responseKind,
        verbs,
      })),
    }));
  const answered = reviews
    .filter((review) => review.group === group)
    .map(({ plural, version, kind, namespaced }) => ({
      resource: plural,
      responseKind: { group, version, kind },
      scope: namespaced ? 'Namespaced' : 'Cluster',
      singularResource: kind.toLowerCase(),
      verbs: ['create'],
    }));
  return [...stored, ...answered];
}

function subresourcesOf(kind: Kind): readonly (Omit<Subresource, 'name'> & { readonly name: string })[] {
  if (kind.group !== '' || kind.plural !== 'namespaces') return kind.subresources;
  const responseKind = { group: '', version: 'v1', kind: 'Namespace' };
  return [{ name: 'finalize', verbs: ['update'], responseKind }, ...kind.subresources];
}
