"""Many files: constant memory, each judged once however often it is interrupted; batches in processes of their own."""
