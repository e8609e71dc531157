"""Amazon SageMaker with real compute: training, tuning, processing and Batch Transform run the packaged code of the template.

There is no container engine, so there is no /opt/ml either: each job has a folder in its place (container.py). Inputs and outputs move
with the credentials of the job's role. The process of an isolated job gets no credentials.

| module | |
|---|---|
| service | answers the job calls of the SageMaker API |
| job | what all kinds of job have in common, and the jobs that exist |
| container | the contract between a job and its code: folders, variables, failure |
| training, processing, transform | one kind of job each |
| tuning, trial | a tuning job and its training jobs |
| optimizer, early_stopping | which hyperparameters to try next, and which trials to stop |
| packages | models and model packages |
| files | moves inputs and outputs between S3 and folders |
| serving | the model server of Batch Transform, in a process of its own |
"""
