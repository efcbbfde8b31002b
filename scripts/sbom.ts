import { version } from '../package.json'
import type { Package } from './licences.ts'

/** The packages as a bill of materials: CycloneDX 1.6. It bears no time and no number: equal locks give equal bills. */
export function sbomOf(packages: Package[]) {
  return {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: {
      component: {
        type: 'application',
        name: 'bulk-ingestion',
        version,
        licenses: [{ license: { id: 'MIT' } }],
      },
    },
    components: packages.map(({ name, version: its, sha512, licence }) => ({
      type: 'library',
      'bom-ref': purlOf(name, its),
      name,
      version: its,
      scope: licence === undefined ? 'optional' : 'required',
      ...(sha512 && { hashes: [{ alg: 'SHA-512', content: sha512 }] }),
      ...(licence && {
        licenses: [/ (OR|AND) /.test(licence) ? { expression: licence } : { license: { id: licence } }],
      }),
      purl: purlOf(name, its),
    })),
  }
}

function purlOf(name: string, version: string): string {
  return `pkg:npm/${name.replace('@', '%40')}@${version}`
}
