/** A service's, volume's or secret's name as the name of an object: Compose allows `_`, `.` and capitals, DNS does not. */
export function objectName(name: string): string {
  const plain = name
    .toLowerCase()
    .replace(/[^a-z0-9-]+/g, '-')
    .replace(/^-+|-+$/g, '');
  return plain.slice(0, 63).replace(/-+$/, '');
}

/** The Volume object of a named volume of the file. */
export function volumeObjectName(stack: string, volume: string): string {
  return objectName(`${stack}-${volume}`);
}

/** The Secret object of a secret or config of the file; both kinds of entry may have the same name. */
export function fileObjectName(stack: string, type: 'secret' | 'config', name: string): string {
  return type === 'secret' ? objectName(`${stack}-${name}`) : objectName(`${stack}-config-${name}`);
}

export function envSecretName(service: string): string {
  return `${objectName(service)}-env`;
}
