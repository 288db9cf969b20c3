// Hosts group members that are kafkajs consumers: one command a line on standard input, one event a line on standard output, both
// JSON; suite/members.py says what each command does.
'use strict'

const readline = require('readline')

class Member {
  constructor(kafka, join) {
    this.name = join.member
    this.join = join
    this.owned = []
    this.read = new Map() // `topic partition` -> offset after the last that was read and not committed
    this.consumer = kafka.consumer({
      groupId: join.group,
      sessionTimeout: join.session_ms,
      heartbeatInterval: join.heartbeat_ms,
      metadataMaxAge: join.metadata_ms,
      maxWaitTimeInMs: 100,
      allowAutoTopicCreation: false,
      retry: { initialRetryTime: 50 },
    })
  }

  say(event, fields = {}) {
    const at = performance.timeOrigin + performance.now()
    process.stdout.write(JSON.stringify({ member: this.name, event, at, ...fields }) + '\n')
  }

  async run() {
    const { GROUP_JOIN, REBALANCING, CRASH } = this.consumer.events
    // It has no word for the loss of a membership: what it still has when it joins anew was taken from it.
    this.consumer.on(GROUP_JOIN, ({ payload }) => this.assigned(payload.memberAssignment))
    this.consumer.on(REBALANCING, () => this.gone('revoked'))
    // It restarts by itself after what passes.
    this.consumer.on(CRASH, ({ payload }) => payload.restart || this.fail(payload.error))
    await this.consumer.connect()
    const topics = this.join.pattern ? [new RegExp(this.join.pattern)] : this.join.topics
    await this.consumer.subscribe({ topics, fromBeginning: this.join.reset === 'earliest' })
    const auto = this.join.commit === 'auto'
    await this.consumer.run({
      autoCommit: auto,
      autoCommitInterval: auto ? 50 : null,
      eachBatch: payload => this.batch(payload),
    })
  }

  assigned(assignment) {
    this.gone('lost')
    this.owned = Object.entries(assignment).flatMap(([topic, numbers]) => numbers.map(number => [topic, number]))
    if (this.owned.length) this.say('assigned', { partitions: this.owned })
  }

  gone(event) {
    if (this.owned.length) this.say(event, { partitions: this.owned })
    this.owned = []
    this.read.clear()
  }

  async batch({ batch, heartbeat }) {
    const { topic, partition } = batch
    for (const message of batch.messages) {
      this.say('record', { topic, partition, offset: +message.offset, value: message.value.toString() })
      this.read.set(`${topic} ${partition}`, +message.offset + 1)
    }
    if (this.join.commit === 'each') await this.commit('')
    await heartbeat()
  }

  async commit(metadata) {
    const offsets = [...this.read].map(([key, offset]) => [key.split(' ')[0], +key.split(' ')[1], offset])
    if (!offsets.length) return
    try {
      await this.consumer.commitOffsets(
        offsets.map(([topic, partition, offset]) => ({ topic, partition, offset: `${offset}`, metadata }))
      )
    } catch (error) {
      this.say('commit-failed', { error: nameOf(error) })
      return
    }
    for (const [topic, partition, offset] of offsets) {
      if (this.read.get(`${topic} ${partition}`) === offset) this.read.delete(`${topic} ${partition}`)
    }
    this.say('committed', { offsets })
  }

  async obey(command) {
    const { topic, partitions, offset } = command
    switch (command.do) {
      case 'commit':
        return this.commit(command.metadata)
      case 'seek':
        this.consumer.seek({ topic, partition: partitions[0], offset: `${offset}` })
        return this.say('sought')
      case 'pause':
        this.consumer.pause([{ topic, partitions }])
        return this.say('paused')
      case 'resume':
        return this.consumer.resume([{ topic, partitions }])
      case 'close':
        await this.consumer.disconnect()
        return this.say('closed')
    }
    throw new Error(`no command ${command.do}`)
  }

  fail(error) {
    this.say('error', { error: nameOf(error) })
  }
}

// Kafka's name of an error, or that of its class.
function nameOf(error) {
  return error.type ?? error.cause?.type ?? error.name
}

// Until the input ends; then everything is gone without a word.
async function members(kafka) {
  const hosted = new Map()
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const command = JSON.parse(line)
    let member = hosted.get(command.member)
    if (command.do === 'join') {
      member = new Member(kafka, command)
      hosted.set(command.member, member)
      member.run().catch(error => member.fail(error))
    } else {
      member.obey(command).catch(error => member.fail(error))
    }
  }
  process.exit(0)
}

module.exports = { members }
