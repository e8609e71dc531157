"""AWS CloudFormation: create the resource types of the template that moto skips silently, and refuse unknown types.

| module | |
|---|---|
| service | decides which class creates a type, and repairs types that moto creates incompletely |
| definitions | the types that local AWS adds, and the types that it accepts without creating them |
| custom | custom resources, by calling their function |
| resources | the classes behind these types |
| stacks | termination protection, and the rollback of a creation that fails |
| imports | resources that a deleted stack has retained, and change sets that import them |
"""
