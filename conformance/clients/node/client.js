// The kafkajs client of the conformance suite: client.js BOOTSTRAP VERB ARGS…
//
//   create TOPIC PARTITIONS
//   delete TOPIC
//   produce TOPIC CODEC FILE
//   consume TOPIC COUNT OUT                 in a group of its own, kafkajs has no other way
//   group TOPIC GROUP COUNT OUT leave|die   reads COUNT records, commits them, then leaves or is gone without a word
//   admin TOPIC                             the admin scenario (admin.js)
//   members                                 hosts group members, commands on standard input (members.js)
//
// The files' form is described in suite/dataset.py.
'use strict'

const fs = require('fs')
const { Kafka, CompressionCodecs, CompressionTypes, logLevel } = require('kafkajs')
const lz4 = require('lz4-napi')
const snappy = require('snappy')
const zstd = require('@mongodb-js/zstd')
const { admin: scenario } = require('./admin')
const { members } = require('./members')

const PATIENCE_MS = 120_000
const BATCH_RECORDS = 1000
const BATCH_BYTES_MAX = 500_000
const CODECS = {
  none: CompressionTypes.None,
  gzip: CompressionTypes.GZIP,
  snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4,
  zstd: CompressionTypes.ZSTD,
}

// xerial's blocks, in which Java and kafka-python wrap snappy: a header of 16 bytes, then length and block in turn.
const XERIAL_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00])
const XERIAL_HEADER_BYTES = 16

async function uncompressSnappy(buffer) {
  if (!buffer.subarray(0, XERIAL_MAGIC.length).equals(XERIAL_MAGIC)) return snappy.uncompress(buffer)
  const blocks = []
  for (let at = XERIAL_HEADER_BYTES; at < buffer.length; ) {
    const end = at + 4 + buffer.readInt32BE(at)
    blocks.push(await snappy.uncompress(buffer.subarray(at + 4, end)))
    at = end
  }
  return Buffer.concat(blocks)
}

// kafkajs brings gzip only.
CompressionCodecs[CompressionTypes.Snappy] = () => ({
  compress: encoder => snappy.compress(encoder.buffer),
  decompress: uncompressSnappy,
})
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: encoder => lz4.compressFrame(encoder.buffer),
  decompress: buffer => lz4.decompressFrame(buffer),
})
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: encoder => zstd.compress(encoder.buffer),
  decompress: buffer => zstd.decompress(buffer),
})

const parseBytes = field => (field === '-' ? null : Buffer.from(field, 'hex'))
const formatBytes = bytes => (bytes == null ? '-' : Buffer.from(bytes).toString('hex'))

function parseHeaders(field) {
  const headers = {}
  for (const pair of field ? field.split(',') : []) {
    const [name, value] = pair.split(':')
    const key = Buffer.from(name, 'hex').toString()
    ;(headers[key] ??= []).push(parseBytes(value))
  }
  return headers
}

function formatRecord(partition, message) {
  const headers = Object.entries(message.headers ?? {})
    .flatMap(([key, values]) => (Array.isArray(values) ? values : [values]).map(value => [key, value]))
    .map(([key, value]) => `${Buffer.from(key).toString('hex')}:${formatBytes(value)}`)
  const fields = [partition, message.offset, message.timestamp, formatBytes(message.key), formatBytes(message.value)]
  return [...fields, headers.join(',')].join('\t') + '\n'
}

async function withAdmin(kafka, use) {
  const admin = kafka.admin()
  await admin.connect()
  try {
    await use(admin)
  } finally {
    await admin.disconnect()
  }
}

function create(kafka, topic, partitions) {
  // Records with timestamps of years ago are to stay.
  const configEntries = [{ name: 'retention.ms', value: '-1' }]
  return withAdmin(kafka, admin => admin.createTopics({ topics: [{ topic, numPartitions: +partitions, configEntries }] }))
}

function remove(kafka, topic) {
  return withAdmin(kafka, admin => admin.deleteTopics({ topics: [topic] }))
}

// Batches small enough for the broker's limit, in the order of the file.
function* batches(path) {
  let messages = []
  let bytes = 0
  for (const line of fs.readFileSync(path, 'utf8').trimEnd().split('\n')) {
    const [partition, timestamp, key, value, headers] = line.split('\t')
    messages.push({
      partition: +partition,
      timestamp: timestamp === '-' ? undefined : timestamp,
      key: parseBytes(key),
      value: parseBytes(value),
      headers: parseHeaders(headers),
    })
    bytes += line.length
    if (messages.length === BATCH_RECORDS || bytes > BATCH_BYTES_MAX) {
      yield messages
      messages = []
      bytes = 0
    }
  }
  if (messages.length) yield messages
}

async function produce(kafka, topic, codec, path) {
  const producer = kafka.producer()
  await producer.connect()
  for (const messages of batches(path)) await producer.send({ topic, compression: CODECS[codec], messages })
  await producer.disconnect()
}

// Reads until `count` records are written to `out` and committed; returns the consumer, still a member.
async function readAndCommit(kafka, topic, groupId, count, path) {
  const out = fs.openSync(path, 'w')
  // Leaving waits for the fetch in flight: a short one.
  const options = { sessionTimeout: 10_000, heartbeatInterval: 1000, maxWaitTimeInMs: 100, allowAutoTopicCreation: false }
  const consumer = kafka.consumer({ groupId, ...options })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  const next = new Map()
  await new Promise((resolve, reject) => {
    setTimeout(reject, PATIENCE_MS, new Error('records missing')).unref()
    // It restarts by itself after what passes, such as a coordinator that is still loading.
    consumer.on(consumer.events.CRASH, ({ payload }) => payload.restart || reject(payload.error))
    const eachBatch = async ({ batch }) => {
      const lines = []
      for (const message of batch.messages.slice(0, count)) {
        lines.push(formatRecord(batch.partition, message))
        next.set(batch.partition, BigInt(message.offset) + 1n)
      }
      count -= lines.length
      fs.writeSync(out, lines.join(''))
      if (count === 0) resolve()
    }
    consumer.run({ autoCommit: false, eachBatchAutoResolve: true, eachBatch }).catch(reject)
  })
  fs.closeSync(out)
  await consumer.commitOffsets([...next].map(([partition, offset]) => ({ topic, partition, offset: `${offset}` })))
  return consumer
}

async function consume(kafka, topic, count, path) {
  const consumer = await readAndCommit(kafka, topic, `${topic}-reader-${process.pid}`, +count, path)
  await consumer.disconnect()
}

async function group(kafka, topic, groupId, count, path, end) {
  const consumer = await readAndCommit(kafka, topic, groupId, +count, path)
  if (end === 'die') process.exit(0)
  await consumer.disconnect()
}

async function main() {
  const [bootstrap, verb, ...args] = process.argv.slice(2)
  const kafka = new Kafka({ brokers: [bootstrap], logLevel: logLevel.ERROR })
  const verbs = { create, delete: remove, produce, consume, group, members, admin: (kafka, topic) => scenario(kafka, topic, withAdmin) }
  await verbs[verb](kafka, ...args)
}

main().catch(error => {
  console.error(error)
  process.exit(1)
})
