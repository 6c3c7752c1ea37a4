import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError } from './api-error.ts';
import { matchesFields, parseFieldSelector } from './field-selectors.ts';
import { events, nodes, type Pod, pods } from './kinds.ts';
import { matchesLabels, matchesSelector, parseLabelSelector, renderLabelSelector } from './selectors.ts';

const labels = { app: 'web', 'a.b/c': 'x', empty: '' };

for (const [text, expected] of [
  ['', true],
  ['app=web', true],
  ['app==web', true],
  [' app = web , a.b/c = x ', true],
  ['app=db', false],
  ['app!=db', true],
  ['other!=db', true],
  ['app', true],
  ['!app', false],
  ['!other', true],
  ['app in (db,web)', true],
  ['app in (db)', false],
  ['app notin (db, web)', false],
  ['other notin (db)', true],
  ['empty=', true],
  ['empty=,app', true],
  ['empty in (,x)', true],
  ['app in (web),!other,a.b/c', true],
  ['constructor', false],
] as const) {
  test(`label selector "${text}" is ${expected}`, () => {
    assert.equal(matchesLabels(parseLabelSelector(text), labels), expected);
  });
}

for (const text of [
  '=a',
  'a=b=c',
  'a in b',
  'a in (b',
  'a b',
  ',a',
  'a,',
  'a,,b',
  '!',
  'a=(',
  'A B=c',
  'a=b c',
  '-a',
  'a in (b c)',
]) {
  test(`label selector "${text}" is refused`, () => {
    assert.throws(
      () => parseLabelSelector(text),
      (error: unknown) =>
        error instanceof ApiError && error.status.code === 400 && /^unable to parse/.test(error.message),
    );
  });
}

test('selectors of objects', () => {
  assert.equal(matchesSelector(undefined, labels), false);
  assert.equal(matchesSelector({}, undefined), true);
  assert.equal(matchesSelector({ matchLabels: { app: 'web' } }, labels), true);
  assert.equal(matchesSelector({ matchLabels: { app: 'web' } }, undefined), false);
  const matchExpressions = [
    { key: 'app', operator: 'NotIn', values: ['db'] },
    { key: 'gone', operator: 'DoesNotExist' },
  ];
  assert.equal(matchesSelector({ matchLabels: { app: 'web' }, matchExpressions }, labels), true);
  const text = renderLabelSelector({ matchLabels: { app: 'web' }, matchExpressions });
  assert.equal(text, '!gone,app notin (db),app=web');
  assert.equal(matchesLabels(parseLabelSelector(text), labels), true);
});

const pod: Pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p', namespace: 'd' },
  spec: { containers: [], nodeName: 'h1' },
  status: { phase: 'Running' },
};

for (const [text, expected] of [
  ['', true],
  ['metadata.name=p', true],
  ['metadata.name=p,metadata.namespace=d', true],
  ['metadata.namespace!=d', false],
  ['spec.nodeName=h1,status.phase!=Succeeded,status.phase!=Failed', true],
  ['spec.nodeName==h2', false],
  ['status.podIP=', true],
] as const) {
  test(`field selector "${text}" is ${expected}`, () => {
    assert.equal(matchesFields(parseFieldSelector(pods, text), pod), expected);
  });
}

test('each kind has its fields, others are refused', () => {
  assert.equal(parseFieldSelector(events, 'involvedObject.name=a,involvedObject.uid=b,type=Warning').length, 3);
  assert.equal(parseFieldSelector(nodes, 'spec.unschedulable=false').length, 1);
  for (const [text, expected] of [
    ['spec.image=x', /field label not supported: spec.image/],
    ['constructor=x', /field label not supported: constructor/],
    ['metadata.name', /invalid selector/],
  ] as const) {
    assert.throws(
      () => parseFieldSelector(pods, text),
      (error: unknown) => error instanceof ApiError && error.status.code === 400 && expected.test(error.message),
    );
  }
});
