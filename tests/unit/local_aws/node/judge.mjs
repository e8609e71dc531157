// Answers calls as @cloud-copilot/iam-simulate sees them: one JSON object on standard input, one array of answers on standard output.
//
// The package's exported functions refuse calls that its data does not know (runSimulation), or fail on resource policies
// (runUnsafeSimulation, version 0.1.173). Behind both is `authorize`, which is imported here by its file.
import { readFileSync } from 'node:fs'

const engine = './node_modules/@cloud-copilot/iam-simulate/dist/esm/'
const { authorize } = await import(engine + 'core_engine/CoreSimulatorEngine.js')
const { AwsRequestImpl } = await import(engine + 'request/request.js')
const { RequestContextImpl } = await import(engine + 'requestContext.js')
const { DiscoveryContextKeyConstraints } = await import(engine + 'context_keys/discoveryContextKeyConstraints.js')
const { loadPolicy } = await import('@cloud-copilot/iam-policy')

const { account, policies, calls } = JSON.parse(readFileSync(0, 'utf8'))
const loaded = new Map(Object.entries(policies).map(([digest, policy]) => [digest, loadPolicy(policy, { name: digest })]))
const simulationParameters = {
  simulationMode: 'Strict',
  discoveryContextKeyConstraints: new DiscoveryContextKeyConstraints([])
}
const everything = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Principal: '*', Action: '*', Resource: '*' }] }
const resourceControlPolicies = [
  { orgIdentifier: 'none', policies: [loadPolicy(everything, { name: 'RCPFullAWSAccess' })] }
]

const answers = calls.map((call) => {
  const context = new RequestContextImpl(call.context)
  const resource = { resource: call.resource, accountId: account }
  const analysis = authorize({
    request: new AwsRequestImpl(call.principal, resource, call.action, context),
    sessionPolicy: undefined,
    identityPolicies: call.identity.map((digest) => loaded.get(digest)),
    serviceControlPolicies: [],
    resourceControlPolicies,
    resourcePolicy: call.resource_policy ? loaded.get(call.resource_policy) : undefined,
    permissionBoundaries: undefined,
    vpcEndpointPolicies: undefined,
    simulationParameters,
    serviceSettings: {}
  })
  return analysis.result === 'Allowed'
})
process.stdout.write(JSON.stringify(answers))
