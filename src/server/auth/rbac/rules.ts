// What a rule of a role allows. Pure; the words are Kubernetes'.
import type { PolicyRule } from 'kubernetes-types/rbac/v1.js';

/** A request on a resource, as a rule sees it. */
export interface ResourceRequest {
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  /** '' when the object itself is meant. */
  readonly subresource: string;
  /** '' when there is none: a list, a create. */
  readonly name: string;
}

export interface PathRequest {
  readonly verb: string;
  readonly path: string;
}

const all = '*';

export function allowsResource(rule: PolicyRule, request: ResourceRequest): boolean {
  return (
    has(rule.verbs, request.verb) &&
    has(rule.apiGroups, request.group) &&
    hasResource(rule.resources, request) &&
    hasName(rule.resourceNames, request.name)
  );
}

export function allowsPath(rule: PolicyRule, { verb, path }: PathRequest): boolean {
  return has(rule.verbs, verb) && (rule.nonResourceURLs ?? []).some((pattern) => coversPath(pattern, path));
}

function has(values: readonly string[] | undefined, value: string): boolean {
  return values !== undefined && (values.includes(value) || values.includes(all));
}

function hasResource(resources: readonly string[] | undefined, { resource, subresource }: ResourceRequest): boolean {
  const wanted = subresource === '' ? resource : `${resource}/${subresource}`;
  if (has(resources, wanted)) return true;
  return subresource !== '' && resources !== undefined && resources.includes(`${all}/${subresource}`);
}

/** A rule about names says nothing about requests that have none. */
function hasName(names: readonly string[] | undefined, name: string): boolean {
  return names === undefined || names.length === 0 || names.includes(name);
}

function coversPath(pattern: string, path: string): boolean {
  if (pattern === all || pattern === path) return true;
  return pattern.endsWith(all) && path.startsWith(pattern.slice(0, -1));
}

/** What of `wanted` none of the `held` rules allows, in the smallest pieces; empty: all of it is covered. */
export function missingRights(held: readonly PolicyRule[], wanted: readonly PolicyRule[]): PolicyRule[] {
  return wanted.flatMap(piecesOf).filter((piece) => !held.some((rule) => covers(rule, piece)));
}

/** A rule of one verb and one resource, one name at most; or of one verb and one path. */
function piecesOf(rule: PolicyRule): PolicyRule[] {
  const pieces: PolicyRule[] = [];
  for (const verb of rule.verbs) {
    for (const path of rule.nonResourceURLs ?? []) pieces.push({ verbs: [verb], nonResourceURLs: [path] });
    for (const group of rule.apiGroups ?? []) {
      for (const resource of rule.resources ?? []) {
        const piece = { verbs: [verb], apiGroups: [group], resources: [resource] };
        const names = rule.resourceNames ?? [];
        if (names.length === 0) pieces.push(piece);
        else pieces.push(...names.map((name) => ({ ...piece, resourceNames: [name] })));
      }
    }
  }
  return pieces;
}

function covers(rule: PolicyRule, piece: PolicyRule): boolean {
  const [verb = ''] = piece.verbs;
  const [path] = piece.nonResourceURLs ?? [];
  if (path !== undefined) {
    return has(rule.verbs, verb) && (rule.nonResourceURLs ?? []).some((pattern) => coversPath(pattern, path));
  }
  const [group = ''] = piece.apiGroups ?? [];
  const [resource = ''] = piece.resources ?? [];
  const slash = resource.indexOf('/');
  const isCovered =
    has(rule.resources, resource) || (slash > 0 && rule.resources?.includes(`${all}${resource.slice(slash)}`));
  if (!has(rule.verbs, verb) || !has(rule.apiGroups, group) || !isCovered) return false;
  const names = rule.resourceNames ?? [];
  return names.length === 0 || (piece.resourceNames ?? []).some((name) => names.includes(name));
}

/** Pieces of the same group and resource as one, in Kubernetes' notation, sorted. */
export function describeRules(pieces: readonly PolicyRule[]): string[] {
  const merged = new Map<string, PolicyRule>();
  for (const piece of pieces) {
    const { verbs, ...rest } = piece;
    const key = piece.nonResourceURLs || piece.resourceNames ? JSON.stringify(piece) : JSON.stringify(rest);
    const known = merged.get(key);
    merged.set(key, known ? { ...known, verbs: [...known.verbs, ...verbs] } : piece);
  }
  return [...new Set([...merged.values()].map(describeRule))].sort();
}

function describeRule(rule: PolicyRule): string {
  const parts: readonly (readonly [string, readonly string[] | undefined])[] = [
    ['APIGroups', rule.apiGroups],
    ['Resources', rule.resources],
    ['NonResourceURLs', rule.nonResourceURLs],
    ['ResourceNames', rule.resourceNames],
    ['Verbs', rule.verbs],
  ];
  const shown = parts.filter(([, values]) => (values?.length ?? 0) > 0);
  return `{${shown.map(([name, values]) => `${name}:${quotedList(values ?? [])}`).join(', ')}}`;
}

/** `["a" "b"]`, as Go prints a list. */
export function quotedList(values: readonly string[]): string {
  return `[${values.map((value) => JSON.stringify(value)).join(' ')}]`;
}
