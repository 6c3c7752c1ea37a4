import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FlotillaError } from '../../lib/errors.ts';
import type { StackVersion } from '../../resources/stack-version.ts';
import { chooseVersion } from './choose-version.ts';

const version = (number: number, image: string, wasThrough: boolean, file?: string): StackVersion => ({
  number,
  spec: { services: { web: { image, instances: number } }, ...(file === undefined ? {} : { version: file }) },
  at: '2026-01-01T00:00:00Z',
  cause: 'deploy',
  wasThrough,
});

describe('the version to go back to', () => {
  const all = [
    version(3, 'web:1', true, '1.0.0'),
    version(4, 'web:2', true, '1.1.0'),
    version(5, 'web:3', false, '1.1.0'),
    version(6, 'web:4', true),
  ];

  it('is the last complete one that says something else', () => {
    assert.equal(chooseVersion('shop', all, undefined).number, 4);
    assert.equal(chooseVersion('shop', all.slice(0, 2), undefined).number, 3);
    assert.equal(
      chooseVersion('shop', [...all, version(7, 'web:4', true)], undefined).number,
      4,
      'the same again is no other',
    );
  });

  it('is the one that is named, by its number or by what its file called it', () => {
    assert.equal(chooseVersion('shop', all, '5').number, 5);
    assert.equal(chooseVersion('shop', all, '1.1.0').number, 5);
    assert.equal(chooseVersion('shop', all, '1.0.0').number, 3);
  });

  it('is not there: the message has those that are', () => {
    const refused = (versions: readonly StackVersion[], wanted: string | undefined, message: RegExp, hint: RegExp) =>
      assert.throws(
        () => chooseVersion('shop', versions, wanted),
        (error) => error instanceof FlotillaError && message.test(error.message) && hint.test(error.hint ?? ''),
      );
    refused(all, '9', /stack shop has no version "9"/, /there are: 3 \(1.0.0\), 4 \(1.1.0\), 5 \(1.1.0\), 6/);
    refused(all.slice(0, 1), undefined, /no earlier version that was complete/, /there are: 3/);
    refused([], undefined, /has no versions/, /none yet/);
  });
});
