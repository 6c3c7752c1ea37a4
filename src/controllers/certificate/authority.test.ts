import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { describe, it } from 'node:test';
import { inspectTls } from '../../lib/x509/inspect-certificate.ts';
import { sampleNowMs } from '../sample-objects.ts';
import { makeAuthority, signLeaf } from './authority.ts';
import { authorityLifeMs, authorityProblem, isPublicHost, planAuthority, privateDomains } from './authority-plan.ts';

describe("the grid's own authority", () => {
  const authority = makeAuthority(privateDomains, sampleNowMs);

  it('is made once, and anew for a further base domain or near its end', () => {
    assert.deepEqual(planAuthority(undefined, 'shop.example', sampleNowMs), [...privateDomains, 'shop.example']);
    assert.equal(planAuthority(authority, 'lab.localhost', sampleNowMs), undefined);
    assert.deepEqual(planAuthority(authority, 'shop.example', sampleNowMs), [...privateDomains, 'shop.example']);
    assert.ok(planAuthority(authority, undefined, sampleNowMs + authorityLifeMs * 0.95));
    assert.ok(planAuthority({ ...authority, key: 'no key' }, undefined, sampleNowMs));
  });

  it('keeps the domains that it had', () => {
    const known = { ...authority, domains: [...privateDomains, 'old.example'] };
    assert.ok(planAuthority(known, 'new.example', sampleNowMs)?.includes('old.example'));
  });

  it('says for what it does not sign', () => {
    assert.equal(authorityProblem(['web.shop.localhost', '*.shop.localhost'], undefined), undefined);
    assert.equal(authorityProblem(['a.shop.example'], 'shop.example'), undefined);
    assert.match(authorityProblem(['web.localhost', 'a.example.org'], undefined) ?? '', /not for a\.example\.org/);
    assert.match(authorityProblem(['evillocalhost'], undefined) ?? '', /not for evillocalhost/);
  });

  it('signs for hosts, with a key of their own', () => {
    const { chain, key, authority: root } = signLeaf(authority, ['web.shop.localhost', '*.b.localhost'], sampleNowMs);
    const { facts, problem } = inspectTls(chain, key);
    assert.equal(problem, undefined);
    assert.deepEqual(facts?.names, ['web.shop.localhost', '*.b.localhost']);
    const leaf = new X509Certificate(chain);
    assert.ok(leaf.checkIssued(new X509Certificate(root ?? '')) && !leaf.ca);
    assert.notEqual(signLeaf(authority, ['web.shop.localhost'], sampleNowMs).key, key);
    const late = signLeaf(authority, ['web.shop.localhost'], sampleNowMs + authorityLifeMs - 1_000);
    assert.equal(inspectTls(late.chain, late.key).facts?.notAfterMs, sampleNowMs + authorityLifeMs);
  });

  it('tells public names from private ones', () => {
    for (const host of ['shop.example.org', 'a.co', '*.example.net']) assert.ok(isPublicHost(host), host);
    for (const host of [
      'localhost',
      'web.shop.localhost',
      'nas.local',
      'intranet',
      'x.internal',
      'a.home.arpa',
      'x.test',
    ]) {
      assert.ok(!isPublicHost(host), host);
    }
  });
});
