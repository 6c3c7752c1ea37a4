import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Users } from './users.ts';

describe('users', () => {
  it('every second one brings back the cookie that it was given last, the others none', () => {
    const users = new Users();
    assert.equal(users.cookieOf(2), undefined);
    for (const user of [2, 3]) users.answered(user, 'web-1', ['F=a; path=/; HttpOnly', 'x=1']);
    assert.equal(users.cookieOf(2), 'F=a; x=1');
    assert.equal(users.cookieOf(3), undefined);
    users.answered(2, 'web-1', []);
    assert.equal(users.cookieOf(2), 'F=a; x=1');
  });

  it('counts those who were moved though they brought their cookie', () => {
    const users = new Users();
    users.answered(2, 'web-1', ['F=a']);
    users.answered(3, 'web-1', ['F=a']);
    for (const user of [2, 3]) users.answered(user, 'web-2', ['F=b']);
    users.answered(2, 'web-2', []);
    assert.equal(users.moved, 1);
  });
});
