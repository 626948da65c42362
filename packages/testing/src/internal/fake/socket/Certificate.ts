import { generateKeyPairSync, randomBytes, sign } from "node:crypto"

/** A key and the certificate that it signed itself, in PEM. */
export interface Certificate {
  readonly key: string
  readonly cert: string
}

type Bytes = Uint8Array

// The few types of DER that a certificate is made of.
const element = (tag: number, ...contents: ReadonlyArray<Bytes>): Bytes => {
  const content = Buffer.concat(contents)
  const size = content.length < 0x80 ? [content.length] : [0x82, content.length >> 8, content.length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...size]), content])
}
const sequence = (...contents: ReadonlyArray<Bytes>): Bytes => element(0x30, ...contents)
const set = (content: Bytes): Bytes => element(0x31, content)
const integer = (bytes: Bytes): Bytes => element(0x02, bytes)
const bitString = (bytes: Bytes): Bytes => element(0x03, Buffer.from([0]), bytes)
const octetString = (bytes: Bytes): Bytes => element(0x04, bytes)
const utf8String = (text: string): Bytes => element(0x0c, Buffer.from(text))
const objectId = (hex: string): Bytes => element(0x06, Buffer.from(hex, "hex"))
const time = (date: Date): Bytes => element(0x18, Buffer.from(date.toISOString().replace(/[-:T]|\.\d+/g, "")))
const explicit = (number: number, content: Bytes): Bytes => element(0xa0 | number, content)

const ecdsaWithSha256 = sequence(objectId("2a8648ce3d040302"))
const commonName = objectId("550403")
const subjectAltName = objectId("551d11")
const basicConstraints = objectId("551d13")

const true_ = element(0x01, Buffer.from([0xff]))

const day = 86_400_000

/** Creates a certificate for the loopback addresses that is valid from yesterday on, for a year. */
export const selfSigned = (): Certificate => {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" })
  const name = sequence(set(sequence(commonName, utf8String("localhost"))))
  const serial = randomBytes(8)
  // Positive, and without a zero in front.
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40
  const now = Date.now()
  const toBeSigned = sequence(
    explicit(0, integer(Buffer.from([2]))),
    integer(serial),
    ecdsaWithSha256,
    name,
    sequence(time(new Date(now - day)), time(new Date(now + 365 * day))),
    name,
    publicKey.export({ format: "der", type: "spki" }),
    explicit(
      3,
      sequence(
        sequence(
          subjectAltName,
          octetString(sequence(
            element(0x82, Buffer.from("localhost")),
            element(0x87, Buffer.from([127, 0, 0, 1]))
          ))
        ),
        // An authority of its own, so that a client can trust it by itself.
        sequence(basicConstraints, true_, octetString(sequence(true_)))
      )
    )
  )
  const signature = sign("sha256", toBeSigned, privateKey)
  const certificate = sequence(toBeSigned, ecdsaWithSha256, bitString(signature))
  const lines = Buffer.from(certificate).toString("base64").replace(/.{64}(?=.)/g, "$&\n")
  return {
    key: String(privateKey.export({ format: "pem", type: "pkcs8" })),
    cert: `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`
  }
}
