// kafkajs' admin client: one topic's life, from its creation to its end.
'use strict'

const assert = require('assert')
const { ConfigResourceTypes } = require('kafkajs')

const RECORDS = 50
const FIRST_TIMESTAMP_MS = 1_700_000_000_000

async function admin(kafka, topic, withAdmin) {
  await withAdmin(kafka, async admin => {
    await topics(admin, topic)
    await configs(admin, topic)
    await offsets(kafka, admin, topic)
    await groupOffsets(admin, topic)
    await admin.deleteTopics({ topics: [topic] })
    assert.ok(!(await admin.listTopics()).includes(topic), 'listed although deleted')
  })
}

async function topics(admin, topic) {
  assert.equal((await admin.describeCluster()).brokers.length, 1)
  assert.equal(await admin.createTopics({ topics: [{ topic, numPartitions: 1 }] }), true)
  assert.equal(await admin.createTopics({ topics: [{ topic, numPartitions: 1 }] }), false, 'created twice')
  await admin.createPartitions({ topicPartitions: [{ topic, count: 3 }] })
  assert.ok((await admin.listTopics()).includes(topic))
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
  assert.deepEqual(topics[0].partitions.map(partition => partition.partitionId).sort(), [0, 1, 2])
}

async function configs(admin, topic) {
  const resource = { type: ConfigResourceTypes.TOPIC, name: topic }
  // The legacy request, AlterConfigs.
  await admin.alterConfigs({ resources: [{ ...resource, configEntries: [{ name: 'retention.ms', value: '3600000' }] }] })
  const described = await admin.describeConfigs({ resources: [{ ...resource, configNames: ['retention.ms'] }] })
  assert.deepEqual(described.resources[0].configEntries.map(entry => [entry.configName, entry.configValue]), [['retention.ms', '3600000']])
}

async function offsets(kafka, admin, topic) {
  const producer = kafka.producer()
  await producer.connect()
  for (let i = 0; i < RECORDS; i++) {
    const messages = [{ partition: 0, value: 'v', timestamp: `${FIRST_TIMESTAMP_MS + i * 1000}` }]
    await producer.send({ topic, messages })
  }
  await producer.disconnect()
  const bounds = async () => (await admin.fetchTopicOffsets(topic)).find(({ partition }) => partition === 0)
  assert.deepEqual(await bounds(), { partition: 0, offset: `${RECORDS}`, low: '0', high: `${RECORDS}` })
  const at = await admin.fetchTopicOffsetsByTimestamp(topic, FIRST_TIMESTAMP_MS + 20_000)
  assert.equal(at.find(({ partition }) => partition === 0).offset, '20')
  await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '10' }] })
  assert.equal((await bounds()).low, '10')
}

async function groupOffsets(admin, topic) {
  const groupId = `${topic}-group`
  await admin.setOffsets({ groupId, topic, partitions: [{ partition: 1, offset: '42' }] })
  const fetched = await admin.fetchOffsets({ groupId, topics: [topic] })
  const found = fetched[0].partitions.find(({ partition }) => partition === 1)
  assert.equal(found.offset, '42')
}

module.exports = { admin }
