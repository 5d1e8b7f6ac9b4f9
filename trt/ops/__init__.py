"""What an operator runs beside the service: doctor, lock, trace."""
