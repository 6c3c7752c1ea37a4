import { isMap, isScalar, LineCounter, parseDocument, visit } from 'yaml';

const maxFound = 20;

export interface ParsedYaml {
  readonly value: unknown;
  /** `line 3: key "a" already set in map`; of keys that stand twice the last one counts. */
  readonly duplicates: readonly string[];
}

/** Throws YAMLError for what is no YAML. Aliases are counted: a few lines must not become gigabytes. */
export function parseYamlBody(text: string): ParsedYaml {
  const lines = new LineCounter();
  const document = parseDocument(text, { strict: true, uniqueKeys: false, lineCounter: lines });
  const [error] = document.errors;
  if (error) throw error;
  const duplicates: string[] = [];
  visit(document, {
    Map: (_, map) => {
      if (!isMap(map)) return;
      const seen = new Set<string>();
      for (const { key } of map.items) {
        if (!isScalar(key)) continue;
        const name = String(key.value);
        if (seen.has(name) && duplicates.length < maxFound) {
          const { line } = lines.linePos(key.range?.[0] ?? 0);
          duplicates.push(`line ${line}: key ${JSON.stringify(name)} already set in map`);
        }
        seen.add(name);
      }
    },
  });
  return { value: document.toJS({ maxAliasCount: 100 }), duplicates };
}
